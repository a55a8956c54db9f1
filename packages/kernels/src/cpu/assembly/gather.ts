// gather: rows of a table by index; NaN where there is no such row.

import { inputOf, outputOf, size } from './command';
import { barrier, claim } from './threads';

// Sizes, by index.
const ROWS: i32 = 0;
const COLUMNS: i32 = 1;
const COUNT: i32 = 2;
/** Rows of the output in a task. */
const CHUNK: i32 = 3;

export function gather(command: usize): void {
  const rows = <u32>size(command, ROWS);
  const count = size(command, COUNT);
  const length = size(command, CHUNK);
  const bytes = <usize>size(command, COLUMNS) << 2;
  const table = inputOf(command, 0);
  for (let task = claim(); task < (count + length - 1) / length; task = claim()) {
    const end = min((task + 1) * length, count);
    for (let i = task * length; i < end; i++) {
      const index = load<u32>(inputOf(command, 1) + (<usize>i << 2));
      const target = outputOf(command, 0) + <usize>i * bytes;
      if (index < rows) memory.copy(target, table + <usize>index * bytes, bytes);
      else for (let c: usize = 0; c < bytes; c += 4) store<f32>(target + c, NaN);
    }
  }
  barrier();
}
