/** Softmax of each row of [rows, columns]. */

import type { NumberArray, PortableThread } from './types.js';

export interface SoftmaxConstants {
  readonly columns: number;
}

export function softmax(this: PortableThread<SoftmaxConstants>, x: NumberArray): number {
  const base = Math.floor(this.thread.x / this.constants.columns) * this.constants.columns;
  let largest = x[base];
  for (let column = 1; column < this.constants.columns; column++) {
    largest = Math.max(largest, x[base + column]);
  }
  let sum = 0;
  for (let column = 0; column < this.constants.columns; column++) {
    sum += Math.exp(x[base + column] - largest);
  }
  return Math.exp(x[this.thread.x] - largest) / sum;
}
