/** Adjoint of gather in the table: dy [count, columns], indices [count], output [rows, columns]. */

import type { NumberArray, PortableThread } from './types.js';

export interface GatherGradConstants {
  readonly columns: number;
  readonly count: number;
}

export function gatherGrad(
  this: PortableThread<GatherGradConstants>,
  dy: NumberArray,
  indices: NumberArray,
): number {
  const column = this.thread.x % this.constants.columns;
  const row = Math.floor(this.thread.x / this.constants.columns);
  let sum = 0;
  for (let i = 0; i < this.constants.count; i++) {
    if (indices[i] === row) {
      sum += dy[i * this.constants.columns + column];
    }
  }
  return sum;
}
