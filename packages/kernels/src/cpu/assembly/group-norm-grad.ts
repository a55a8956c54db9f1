// The gradient of groupNorm on [batch, positions, channels]. What SiLU was applied to is computed again from x.

import { inputOf, outputOf, size } from './command';
import {
  BATCH,
  CHANNELS,
  CHUNKS,
  GROUPS,
  POSITIONS,
  SILU,
  WHOLE_IMAGES,
  chunkOffset,
  chunkPositions,
  chunkRows,
  imageRows,
  Plain,
  rowBytes,
  tilePositions,
  WithSilu,
} from './group-norm-chunks';
import { madd, storeLanes } from './simd';
import { barrier, claim } from './threads';

/**
 * Scratch memory, in rows of `channels` rounded up to vectors: for each chunk the sums of dz and of dz xhat, where z is what SiLU is applied to; for
 * each image the two means of the gradient that the normalisation projects out, by channel.
 */
export function groupNormGrad(command: usize, scratch: usize): void {
  const batch = size(command, BATCH);
  const chunks = size(command, CHUNKS);
  if (size(command, WHOLE_IMAGES) != 0) {
    for (let image = claim(); image < batch; image = claim()) {
      for (let chunk = 0; chunk < chunks; chunk++) gradientSums(command, scratch, image, chunk);
      gradientMeans(command, scratch, image);
      for (let chunk = 0; chunk < chunks; chunk++) inputGradient(command, scratch, image, chunk);
    }
    barrier();
  } else {
    for (let task = claim(); task < batch * chunks; task = claim()) {
      gradientSums(command, scratch, task / chunks, task % chunks);
    }
    barrier();
    for (let image = claim(); image < batch; image = claim()) gradientMeans(command, scratch, image);
    barrier();
    for (let task = claim(); task < batch * chunks; task = claim()) {
      inputGradient(command, scratch, task / chunks, task % chunks);
    }
    barrier();
  }
  const channels = size(command, CHANNELS);
  for (let index = claim(); index < (channels + 15) >> 4; index = claim()) {
    parameterGradients(command, scratch, index << 4, min((index << 4) + 16, channels));
  }
  barrier();
}

/** Leaves dz in dx, and adds up dz and dz xhat by channel. */
function gradientSums(command: usize, scratch: usize, image: i32, chunk: i32): void {
  const channels = size(command, CHANNELS);
  const positions = chunkPositions(command, chunk);
  const sums = chunkRows(command, scratch, image, chunk, 2);
  memory.fill(sums, 0, 2 * rowBytes(channels));
  const tile = tilePositions(channels);
  for (let first = 0; first < positions; first += tile) {
    const at = chunkOffset(command, image, chunk) + ((<usize>first * channels) << 2);
    const count = min(tile, positions - first);
    if (size(command, SILU) != 0) gradientSumsTile<WithSilu>(command, image, at, count, sums);
    else gradientSumsTile<Plain>(command, image, at, count, sums);
  }
}

function gradientSumsTile<Kind>(command: usize, image: i32, offset: usize, positions: i32, sums: usize): void {
  const kind = changetype<Kind>(0);
  const channels = size(command, CHANNELS);
  const dy = inputOf(command, 0) + offset;
  const x = inputOf(command, 1) + offset;
  const dx = outputOf(command, 0) + offset;
  const stride = <usize>channels << 2;
  const row = rowBytes(channels);
  const end = <usize>positions * stride;
  for (let c: usize = 0; c < stride; c += 16) {
    const lanes = <i32>((stride - c) >> 2);
    const mean = groupValues(command, 4, image, <i32>(c >> 2));
    const rstd = groupValues(command, 5, image, <i32>(c >> 2));
    const scale = v128.load(inputOf(command, 2) + c);
    const shift = v128.load(inputOf(command, 3) + c);
    let sum = v128.load(sums + c);
    let products = v128.load(sums + row + c);
    let at = c;
    for (; at + stride < end; at += 2 * stride) {
      const xhat0 = f32x4.mul(f32x4.sub(v128.load(x + at), mean), rstd);
      const xhat1 = f32x4.mul(f32x4.sub(v128.load(x + at + stride), mean), rstd);
      const dz0 = kind.gradient(v128.load(dy + at), xhat0, scale, shift);
      const dz1 = kind.gradient(v128.load(dy + at + stride), xhat1, scale, shift);
      storeLanes(dx + at, dz0, lanes);
      storeLanes(dx + at + stride, dz1, lanes);
      sum = f32x4.add(f32x4.add(sum, dz0), dz1);
      products = madd(dz1, xhat1, madd(dz0, xhat0, products));
    }
    for (; at < end; at += stride) {
      const xhat = f32x4.mul(f32x4.sub(v128.load(x + at), mean), rstd);
      const dz = kind.gradient(v128.load(dy + at), xhat, scale, shift);
      storeLanes(dx + at, dz, lanes);
      sum = f32x4.add(sum, dz);
      products = madd(dz, xhat, products);
    }
    v128.store(sums + c, sum);
    v128.store(sums + row + c, products);
  }
}

/** Per channel, the means over its group of scale dz xhat and of scale dz. */
function gradientMeans(command: usize, scratch: usize, image: i32): void {
  const channels = size(command, CHANNELS);
  const groups = size(command, GROUPS);
  const chunks = size(command, CHUNKS);
  const scale = inputOf(command, 2);
  const row = rowBytes(channels);
  const means = imageRows(command, scratch, image, 2, 2);
  const width = channels / groups;
  const count = <f64>size(command, POSITIONS) * <f64>width;
  for (let group = 0; group < groups; group++) {
    const first = <usize>(group * width) << 2;
    const last = first + (<usize>width << 2);
    let sum: f64 = 0;
    let products: f64 = 0;
    for (let chunk = 0; chunk < chunks; chunk++) {
      const sums = chunkRows(command, scratch, image, chunk, 2);
      for (let c = first; c != last; c += 4) {
        sum += <f64>load<f32>(scale + c) * <f64>load<f32>(sums + c);
        products += <f64>load<f32>(scale + c) * <f64>load<f32>(sums + row + c);
      }
    }
    for (let c = first; c != last; c += 4) {
      store<f32>(means + c, <f32>(products / count));
      store<f32>(means + row + c, <f32>(sum / count));
    }
  }
}

/** dx = rstd (scale dz - mean(scale dz) - xhat mean(scale dz xhat)), dz being in dx. */
function inputGradient(command: usize, scratch: usize, image: i32, chunk: i32): void {
  const channels = size(command, CHANNELS);
  const positions = chunkPositions(command, chunk);
  const means = imageRows(command, scratch, image, 2, 2);
  const row = rowBytes(channels);
  const stride = <usize>channels << 2;
  const tile = tilePositions(channels);
  for (let first = 0; first < positions; first += tile) {
    const offset = chunkOffset(command, image, chunk) + <usize>first * stride;
    const x = inputOf(command, 1) + offset;
    const dx = outputOf(command, 0) + offset;
    const end = <usize>min(tile, positions - first) * stride;
    for (let c: usize = 0; c < stride; c += 16) {
      const lanes = <i32>((stride - c) >> 2);
      const mean = groupValues(command, 4, image, <i32>(c >> 2));
      const rstd = groupValues(command, 5, image, <i32>(c >> 2));
      const factor = f32x4.mul(v128.load(inputOf(command, 2) + c), rstd);
      const slope = f32x4.mul(f32x4.mul(v128.load(means + c), rstd), rstd);
      const offsetOfMean = f32x4.mul(v128.load(means + row + c), rstd);
      for (let at = c; at < end; at += stride) {
        const projected = madd(f32x4.sub(v128.load(x + at), mean), slope, offsetOfMean);
        storeLanes(dx + at, f32x4.sub(f32x4.mul(v128.load(dx + at), factor), projected), lanes);
      }
    }
  }
}

/** dScale and dShift of channels first to last: sums over all chunks, in order. */
function parameterGradients(command: usize, scratch: usize, first: i32, last: i32): void {
  const row = rowBytes(size(command, CHANNELS));
  const chunks = size(command, BATCH) * size(command, CHUNKS);
  for (let channel = first; channel < last; channel++) {
    const c = <usize>channel << 2;
    let sum: f64 = 0;
    let products: f64 = 0;
    for (let chunk = 0; chunk < chunks; chunk++) {
      const sums = scratch + <usize>(2 * chunk) * row + c;
      sum += <f64>load<f32>(sums);
      products += <f64>load<f32>(sums + row);
    }
    store<f32>(outputOf(command, 1) + c, <f32>products);
    store<f32>(outputOf(command, 2) + c, <f32>sum);
  }
}

/** The statistic (input `index`) of four channels' groups. Channels that do not exist have the last group's. */
function groupValues(command: usize, index: i32, image: i32, channel: i32): v128 {
  const groups = size(command, GROUPS);
  const width = size(command, CHANNELS) / groups;
  const values = inputOf(command, index) + (<usize>(image * groups) << 2);
  let result = f32x4.splat(load<f32>(values + (<usize>(channel / width) << 2)));
  result = f32x4.replace_lane(result, 1, load<f32>(values + (<usize>min((channel + 1) / width, groups - 1) << 2)));
  result = f32x4.replace_lane(result, 2, load<f32>(values + (<usize>min((channel + 2) / width, groups - 1) << 2)));
  return f32x4.replace_lane(result, 3, load<f32>(values + (<usize>min((channel + 3) / width, groups - 1) << 2)));
}
