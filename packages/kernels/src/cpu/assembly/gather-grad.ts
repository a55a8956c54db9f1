// The gradient of gather: rows of dy added up by index.

import { inputOf, outputOf, size } from './command';
import { storeLanes } from './simd';
import { barrier, claim } from './threads';

// Sizes, by index.
const ROWS: i32 = 0;
const COLUMNS: i32 = 1;
const COUNT: i32 = 2;
/** Rows of the output in a task. */
const CHUNK: i32 = 3;

/** Each task has its own rows of the output and takes from dy those that belong to them, in ascending order. */
export function gatherGrad(command: usize): void {
  const rows = size(command, ROWS);
  const count = size(command, COUNT);
  const length = size(command, CHUNK);
  const bytes = <usize>size(command, COLUMNS) << 2;
  const dy = inputOf(command, 0);
  const indices = inputOf(command, 1);
  for (let task = claim(); task < (rows + length - 1) / length; task = claim()) {
    const begin = <u32>(task * length);
    const end = <u32>min((task + 1) * length, rows);
    const output = outputOf(command, 0);
    memory.fill(output + <usize>begin * bytes, 0, <usize>(end - begin) * bytes);
    for (let i = 0; i < count; i++) {
      const index = load<u32>(indices + (<usize>i << 2));
      if (index >= begin && index < end) addRow(output + <usize>index * bytes, dy + <usize>i * bytes, bytes);
    }
  }
  barrier();
}

@inline
function addRow(target: usize, source: usize, bytes: usize): void {
  for (let c: usize = 0; c < bytes; c += 16) {
    const sum = f32x4.add(v128.load(target + c), v128.load(source + c));
    storeLanes(target + c, sum, <i32>((bytes - c) >> 2));
  }
}
