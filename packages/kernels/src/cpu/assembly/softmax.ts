// softmax of each row of [rows, columns]: exp(x - max) / sum of the same.

import { inputOf, outputOf, size } from './command';
import { exp, horizontalMax, horizontalSum, loadLanes, storeLanes } from './simd';
import { barrier, claim } from './threads';

// Sizes, by index.
const ROWS: i32 = 0;
const COLUMNS: i32 = 1;
/** Rows of a task. */
const CHUNK: i32 = 2;

/** Vectors that are added up in float32 before their sum goes to float64. */
const RUN: usize = 64 << 4;

export function softmax(command: usize): void {
  const rows = size(command, ROWS);
  const bytes = <usize>size(command, COLUMNS) << 2;
  const length = size(command, CHUNK);
  for (let task = claim(); task < (rows + length - 1) / length; task = claim()) {
    const end = min((task + 1) * length, rows);
    for (let row = task * length; row < end; row++) {
      softmaxRow(inputOf(command, 0) + <usize>row * bytes, outputOf(command, 0) + <usize>row * bytes, bytes);
    }
  }
  barrier();
}

function softmaxRow(x: usize, y: usize, bytes: usize): void {
  const whole = bytes & ~15;
  const lanes = <i32>((bytes - whole) >> 2);
  const lowest = f32x4.splat(-Infinity);
  // pmax passes over NaN, which then makes the sum NaN.
  let largest = lowest;
  let otherLargest = lowest;
  let at: usize = 0;
  for (; at + 32 <= whole; at += 32) {
    largest = f32x4.pmax(largest, v128.load(x + at));
    otherLargest = f32x4.pmax(otherLargest, v128.load(x + at, 16));
  }
  for (; at < whole; at += 16) largest = f32x4.pmax(largest, v128.load(x + at));
  const isInside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
  const tail = lanes > 0 ? v128.bitselect(loadLanes(x + whole, lanes), lowest, isInside) : lowest;
  const maximum = f32x4.splat(horizontalMax(f32x4.pmax(f32x4.pmax(largest, otherLargest), tail)));

  let total: f64 = 0;
  for (let begin: usize = 0; begin < whole; begin += RUN) {
    const end = min(begin + RUN, whole);
    let sum = f32x4.splat(0.0);
    let c = begin;
    // Four vectors at a time, because V8 builds constants anew in every iteration.
    for (; c + 64 <= end; c += 64) {
      const e0 = exp(f32x4.sub(v128.load(x + c), maximum));
      const e1 = exp(f32x4.sub(v128.load(x + c, 16), maximum));
      const e2 = exp(f32x4.sub(v128.load(x + c, 32), maximum));
      const e3 = exp(f32x4.sub(v128.load(x + c, 48), maximum));
      v128.store(y + c, e0);
      v128.store(y + c, e1, 16);
      v128.store(y + c, e2, 32);
      v128.store(y + c, e3, 48);
      sum = f32x4.add(sum, f32x4.add(f32x4.add(e0, e1), f32x4.add(e2, e3)));
    }
    for (; c < end; c += 16) {
      const e = exp(f32x4.sub(v128.load(x + c), maximum));
      v128.store(y + c, e);
      sum = f32x4.add(sum, e);
    }
    total += <f64>horizontalSum(sum);
  }
  if (lanes > 0) {
    // The lanes past the row are exp(-infinity) = 0.
    const e = exp(f32x4.sub(tail, maximum));
    storeLanes(y + whole, e, lanes);
    total += <f64>horizontalSum(e);
  }

  const factor = f32x4.splat(<f32>(1 / total));
  for (let c: usize = 0; c < bytes; c += 16) {
    storeLanes(y + c, f32x4.mul(v128.load(y + c), factor), <i32>((bytes - c) >> 2));
  }
}
