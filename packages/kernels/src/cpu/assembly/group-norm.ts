// groupNorm and its gradient on [batch, positions, channels]: columns of channels are summed with no regard to groups, and
// the few numbers per channel are then put together by group in float64.
//
// Positions are cut into chunks. A batch of small images has one task an image, whose chunks it takes one after the other
// while they are in its cache; few or large images have one task a chunk, with a phase for each step.

import { floatSize, inputOf, outputOf, size } from './command';
import { sigmoid } from './math';
import { madd, nmadd, storeLanes } from './simd';
import { barrier, claim } from './threads';

// Sizes, by index.
const BATCH: i32 = 0;
const POSITIONS: i32 = 1;
const CHANNELS: i32 = 2;
const GROUPS: i32 = 3;
const SILU: i32 = 4;
/** Positions of a chunk, and number of chunks of an image. */
const CHUNK: i32 = 5;
const CHUNKS: i32 = 6;
/** Whether a task is a whole image. */
const WHOLE_IMAGES: i32 = 7;
const EPSILON: i32 = 8;

/** Floats that a pass takes channel by channel: a tile of the inputs and outputs that the first-level cache holds. */
const TILE: i32 = 2048;
/** The shift of a chunk is the mean of this part of it: at most 16 variances away from the mean, hence harmless. */
const SAMPLE: i32 = 16;

/**
 * Scratch memory, in rows of `channels` rounded up to vectors: for each chunk its shift, sum and sum of squares of what
 * remains; for each image mean, factor and offset of the normalisation.
 */
export function groupNorm(command: usize, scratch: usize): void {
  const batch = size(command, BATCH);
  const chunks = size(command, CHUNKS);
  if (size(command, WHOLE_IMAGES) != 0) {
    for (let image = claim(); image < batch; image = claim()) {
      for (let chunk = 0; chunk < chunks; chunk++) statistics(command, scratch, image, chunk);
      normalisation(command, scratch, image);
      for (let chunk = 0; chunk < chunks; chunk++) normalise(command, scratch, image, chunk);
    }
    barrier();
    return;
  }
  for (let task = claim(); task < batch * chunks; task = claim()) {
    statistics(command, scratch, task / chunks, task % chunks);
  }
  barrier();
  for (let image = claim(); image < batch; image = claim()) normalisation(command, scratch, image);
  barrier();
  for (let task = claim(); task < batch * chunks; task = claim()) {
    normalise(command, scratch, task / chunks, task % chunks);
  }
  barrier();
}

/**
 * Scratch memory, in the same rows: for each chunk the sums of dz and of dz xhat, where z is what SiLU is applied to; for
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

/** Bytes of a row of scratch memory. */
@inline
function rowBytes(channels: i32): usize {
  return <usize>((channels + 3) & ~3) << 2;
}

/** The rows of a chunk, which has `count` of them. */
@inline
function chunkRows(command: usize, scratch: usize, image: i32, chunk: i32, count: i32): usize {
  return scratch + <usize>((image * size(command, CHUNKS) + chunk) * count) * rowBytes(size(command, CHANNELS));
}

/** The rows of an image, after those of all chunks. */
@inline
function imageRows(command: usize, scratch: usize, image: i32, chunkCount: i32, count: i32): usize {
  const chunks = size(command, BATCH) * size(command, CHUNKS) * chunkCount;
  return scratch + <usize>(chunks + image * count) * rowBytes(size(command, CHANNELS));
}

/** Byte of the first element of a chunk. */
@inline
function chunkOffset(command: usize, image: i32, chunk: i32): usize {
  const position = <usize>image * size(command, POSITIONS) + <usize>chunk * size(command, CHUNK);
  return (position * size(command, CHANNELS)) << 2;
}

@inline
function chunkPositions(command: usize, chunk: i32): i32 {
  const length = size(command, CHUNK);
  return min(length, size(command, POSITIONS) - chunk * length);
}

/** Positions of a tile: enough that what is set up for a column of it pays. */
@inline
function tilePositions(channels: i32): i32 {
  return max(32, TILE / channels);
}

/** Per channel of a chunk: a shift near its mean, the sum of x - shift and the sum of its square. */
function statistics(command: usize, scratch: usize, image: i32, chunk: i32): void {
  const channels = size(command, CHANNELS);
  const x = inputOf(command, 0) + chunkOffset(command, image, chunk);
  const positions = chunkPositions(command, chunk);
  const row = rowBytes(channels);
  const shift = chunkRows(command, scratch, image, chunk, 3);
  const sum = shift + row;
  const squares = sum + row;
  memory.fill(shift, 0, 3 * row);

  const sampled = (positions + SAMPLE - 1) / SAMPLE;
  columnSums(x, sampled, channels, shift);
  const scale = f32x4.splat(1.0 / <f32>sampled);
  for (let at = shift; at != sum; at += 16) v128.store(at, f32x4.mul(v128.load(at), scale));

  const tile = tilePositions(channels);
  for (let first = 0; first < positions; first += tile) {
    const from = x + ((<usize>first * channels) << 2);
    shiftedSums(from, min(tile, positions - first), channels, shift, sum, squares);
  }
}

/** sums[c] += x[0][c] + x[1][c] + ... */
function columnSums(x: usize, positions: i32, channels: i32, sums: usize): void {
  const stride = <usize>channels << 2;
  const end = x + <usize>positions * stride;
  for (let c: usize = 0; c < stride; c += 16) {
    let sum = v128.load(sums + c);
    for (let at = x; at != end; at += stride) sum = f32x4.add(sum, v128.load(at + c));
    v128.store(sums + c, sum);
  }
}

/** sums[c] += sum of d, squares[c] += sum of d d, where d = x[p][c] - shift[c]. */
function shiftedSums(x: usize, positions: i32, channels: i32, shift: usize, sums: usize, squares: usize): void {
  const stride = <usize>channels << 2;
  const end = x + <usize>positions * stride;
  let c: usize = 0;
  for (; c + 64 <= stride; c += 64) {
    const k0 = v128.load(shift + c);
    const k1 = v128.load(shift + c, 16);
    const k2 = v128.load(shift + c, 32);
    const k3 = v128.load(shift + c, 48);
    let s0 = v128.load(sums + c);
    let s1 = v128.load(sums + c, 16);
    let s2 = v128.load(sums + c, 32);
    let s3 = v128.load(sums + c, 48);
    let q0 = v128.load(squares + c);
    let q1 = v128.load(squares + c, 16);
    let q2 = v128.load(squares + c, 32);
    let q3 = v128.load(squares + c, 48);
    for (let at = x + c; at != end + c; at += stride) {
      const d0 = f32x4.sub(v128.load(at), k0);
      const d1 = f32x4.sub(v128.load(at, 16), k1);
      const d2 = f32x4.sub(v128.load(at, 32), k2);
      const d3 = f32x4.sub(v128.load(at, 48), k3);
      s0 = f32x4.add(s0, d0);
      s1 = f32x4.add(s1, d1);
      s2 = f32x4.add(s2, d2);
      s3 = f32x4.add(s3, d3);
      q0 = madd(d0, d0, q0);
      q1 = madd(d1, d1, q1);
      q2 = madd(d2, d2, q2);
      q3 = madd(d3, d3, q3);
    }
    v128.store(sums + c, s0);
    v128.store(sums + c, s1, 16);
    v128.store(sums + c, s2, 32);
    v128.store(sums + c, s3, 48);
    v128.store(squares + c, q0);
    v128.store(squares + c, q1, 16);
    v128.store(squares + c, q2, 32);
    v128.store(squares + c, q3, 48);
  }
  for (; c < stride; c += 16) {
    const k = v128.load(shift + c);
    let s = v128.load(sums + c);
    let q = v128.load(squares + c);
    for (let at = x + c; at != end + c; at += stride) {
      const d = f32x4.sub(v128.load(at), k);
      s = f32x4.add(s, d);
      q = madd(d, d, q);
    }
    v128.store(sums + c, s);
    v128.store(squares + c, q);
  }
}

/**
 * From the chunks' statistics the mean and 1 / sqrt(variance + epsilon) of each group, and per channel what
 * `normalise` needs: y = (x - mean) * factor + offset, the rounding of the mean being part of the offset.
 */
function normalisation(command: usize, scratch: usize, image: i32): void {
  const channels = size(command, CHANNELS);
  const groups = size(command, GROUPS);
  const scale = inputOf(command, 1);
  const shift = inputOf(command, 2);
  const row = rowBytes(channels);
  const coefficients = imageRows(command, scratch, image, 3, 3);
  const width = channels / groups;
  const count = <f64>size(command, POSITIONS);
  for (let group = 0; group < groups; group++) {
    const first = <usize>(group * width) << 2;
    const last = first + (<usize>width << 2);
    let mean: f64 = 0;
    for (let c = first; c != last; c += 4) mean += channelMean(command, scratch, image, c);
    mean /= <f64>width;
    let squares: f64 = 0;
    for (let c = first; c != last; c += 4) squares += channelSquares(command, scratch, image, c, mean);
    const rstd = 1 / Math.sqrt(squares / (count * <f64>width) + <f64>floatSize(command, EPSILON));

    const statistic = <usize>(image * groups + group) << 2;
    store<f32>(outputOf(command, 1) + statistic, <f32>mean);
    store<f32>(outputOf(command, 2) + statistic, <f32>rstd);
    const lost = mean - <f64>(<f32>mean);
    for (let c = first; c != last; c += 4) {
      const factor = rstd * <f64>load<f32>(scale + c);
      store<f32>(coefficients + c, <f32>mean);
      store<f32>(coefficients + row + c, <f32>factor);
      store<f32>(coefficients + 2 * row + c, <f32>(<f64>load<f32>(shift + c) - lost * factor));
    }
  }
}

/** The mean of the channel at byte c. */
function channelMean(command: usize, scratch: usize, image: i32, c: usize): f64 {
  const row = rowBytes(size(command, CHANNELS));
  const chunks = size(command, CHUNKS);
  let total: f64 = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const rows = chunkRows(command, scratch, image, chunk, 3) + c;
    total += <f64>load<f32>(rows) * <f64>chunkPositions(command, chunk) + <f64>load<f32>(rows + row);
  }
  return total / <f64>size(command, POSITIONS);
}

/** The sum of (x - mean)^2 over the channel at byte c: by chunk, q + 2 d s + n d^2 with d = shift - mean. */
function channelSquares(command: usize, scratch: usize, image: i32, c: usize, mean: f64): f64 {
  const row = rowBytes(size(command, CHANNELS));
  const chunks = size(command, CHUNKS);
  let total: f64 = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const rows = chunkRows(command, scratch, image, chunk, 3) + c;
    const d = <f64>load<f32>(rows) - mean;
    const sum = <f64>load<f32>(rows + row);
    const squares = <f64>load<f32>(rows + 2 * row);
    total += squares + d * (2 * sum + <f64>chunkPositions(command, chunk) * d);
  }
  return total;
}

function normalise(command: usize, scratch: usize, image: i32, chunk: i32): void {
  const channels = size(command, CHANNELS);
  const offset = chunkOffset(command, image, chunk);
  const x = inputOf(command, 0) + offset;
  const y = outputOf(command, 0) + offset;
  const coefficients = imageRows(command, scratch, image, 3, 3);
  const positions = chunkPositions(command, chunk);
  const tile = tilePositions(channels);
  for (let first = 0; first < positions; first += tile) {
    const at = (<usize>first * channels) << 2;
    const count = min(tile, positions - first);
    if (size(command, SILU) != 0) normaliseTile<WithSilu>(x + at, y + at, count, channels, coefficients);
    else normaliseTile<Plain>(x + at, y + at, count, channels, coefficients);
  }
}

function normaliseTile<Kind>(x: usize, y: usize, positions: i32, channels: i32, coefficients: usize): void {
  const kind = changetype<Kind>(0);
  const stride = <usize>channels << 2;
  const row = rowBytes(channels);
  const end = <usize>positions * stride;
  for (let c: usize = 0; c < stride; c += 16) {
    const lanes = <i32>((stride - c) >> 2);
    const mean = v128.load(coefficients + c);
    const factor = v128.load(coefficients + row + c);
    const offset = v128.load(coefficients + 2 * row + c);
    let at = c;
    // Four positions at a time, because V8 builds constants anew in every iteration.
    for (; at + 3 * stride < end; at += 4 * stride) {
      const z0 = madd(f32x4.sub(v128.load(x + at), mean), factor, offset);
      const z1 = madd(f32x4.sub(v128.load(x + at + stride), mean), factor, offset);
      const z2 = madd(f32x4.sub(v128.load(x + at + 2 * stride), mean), factor, offset);
      const z3 = madd(f32x4.sub(v128.load(x + at + 3 * stride), mean), factor, offset);
      const y0 = kind.activation(z0);
      const y1 = kind.activation(z1);
      const y2 = kind.activation(z2);
      const y3 = kind.activation(z3);
      storeLanes(y + at, y0, lanes);
      storeLanes(y + at + stride, y1, lanes);
      storeLanes(y + at + 2 * stride, y2, lanes);
      storeLanes(y + at + 3 * stride, y3, lanes);
    }
    for (; at < end; at += stride) {
      const z = madd(f32x4.sub(v128.load(x + at), mean), factor, offset);
      storeLanes(y + at, kind.activation(z), lanes);
    }
  }
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

/** What follows the normalisation: nothing, or SiLU, z sigmoid(z), whose derivative is s + z s (1 - s). */
@unmanaged
class Plain {
  @inline
  activation(z: v128): v128 {
    return z;
  }
  @inline
  gradient(dy: v128, _xhat: v128, _scale: v128, _shift: v128): v128 {
    return dy;
  }
}

@unmanaged
class WithSilu {
  @inline
  activation(z: v128): v128 {
    return f32x4.mul(z, sigmoid(z));
  }
  @inline
  gradient(dy: v128, xhat: v128, scale: v128, shift: v128): v128 {
    const z = madd(xhat, scale, shift);
    const s = sigmoid(z);
    return f32x4.mul(dy, madd(z, nmadd(s, s, s), s));
  }
}
