// layerNorm on [rows, channels]: a row at a time, while it is in the first-level cache.

import { floatSize, inputOf, outputOf, size } from './command';
import { horizontalSum, loadLanes, madd, storeLanes } from './simd';
import { barrier, claim } from './threads';

// Sizes, by index.
const ROWS: i32 = 0;
const CHANNELS: i32 = 1;
/** Rows of a task, and number of tasks. */
const CHUNK: i32 = 2;
const CHUNKS: i32 = 3;
const EPSILON: i32 = 4;

export function layerNorm(command: usize): void {
  const rows = size(command, ROWS);
  const length = size(command, CHUNK);
  for (let task = claim(); task < size(command, CHUNKS); task = claim()) {
    const end = min((task + 1) * length, rows);
    for (let row = task * length; row < end; row++) normaliseRow(command, row);
  }
  barrier();
}

function normaliseRow(command: usize, row: i32): void {
  const channels = size(command, CHANNELS);
  const bytes = <usize>channels << 2;
  const x = inputOf(command, 0) + <usize>row * bytes;
  const y = outputOf(command, 0) + <usize>row * bytes;
  const scale = inputOf(command, 1);
  const shift = inputOf(command, 2);

  // The first mean only has to be near: what remains is added up again, and small.
  const near = rowSum(x, bytes) / <f32>channels;
  const rest = f32x4.splat(near);
  let sum = f32x4.splat(0.0);
  let squares = sum;
  for (let c: usize = 0; c < bytes; c += 16) {
    const lanes = <i32>((bytes - c) >> 2);
    const d = f32x4.sub(lanes < 4 ? paddedLanes(x + c, lanes, near) : v128.load(x + c), rest);
    sum = f32x4.add(sum, d);
    squares = madd(d, d, squares);
  }
  const excess = <f64>horizontalSum(sum) / <f64>channels;
  const mean = <f64>near + excess;
  const variance = <f64>horizontalSum(squares) / <f64>channels - excess * excess;
  const rstd = <f32>(1 / Math.sqrt(variance + <f64>floatSize(command, EPSILON)));
  store<f32>(outputOf(command, 1) + (<usize>row << 2), <f32>mean);
  store<f32>(outputOf(command, 2) + (<usize>row << 2), rstd);

  const centre = f32x4.splat(<f32>mean);
  const lost = f32x4.splat(<f32>(mean - <f64>(<f32>mean)));
  const factor = f32x4.splat(rstd);
  for (let c: usize = 0; c < bytes; c += 16) {
    const xhat = f32x4.mul(f32x4.sub(f32x4.sub(v128.load(x + c), centre), lost), factor);
    storeLanes(y + c, madd(xhat, v128.load(scale + c), v128.load(shift + c)), <i32>((bytes - c) >> 2));
  }
}

@inline
function rowSum(x: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0.0);
  for (let c: usize = 0; c < bytes; c += 16) sum = f32x4.add(sum, loadLanes(x + c, <i32>((bytes - c) >> 2)));
  return horizontalSum(sum);
}

/** The first `lanes` floats, and `value` in the other lanes. */
function paddedLanes(pointer: usize, lanes: i32, value: f32): v128 {
  const isInside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
  return v128.bitselect(loadLanes(pointer, lanes), f32x4.splat(value), isInside);
}
