/** Rows of a table by index: table [rows, columns], indices [count], output [count, columns]; NaN where there is no such row. */

import type { NumberArray, PortableThread } from './types.js';

export interface GatherConstants {
  readonly rows: number;
  readonly columns: number;
}

export function gather(
  this: PortableThread<GatherConstants>,
  table: NumberArray,
  indices: NumberArray,
): number {
  const row = indices[Math.floor(this.thread.x / this.constants.columns)];
  const column = this.thread.x % this.constants.columns;
  if (row >= 0 && row < this.constants.rows) return table[row * this.constants.columns + column];
  return 0 / 0;
}
