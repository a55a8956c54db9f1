// groupNorm on [batch, positions, channels], with SiLU behind it if that is asked for.

import { floatSize, inputOf, outputOf, size } from './command';
import {
  BATCH,
  CHANNELS,
  CHUNKS,
  EPSILON,
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
