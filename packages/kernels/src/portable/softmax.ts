/** Softmax of each row of [rows, columns]: the largest of the row, the sum of exponentials relative to it, the quotient. */

import type { SoftmaxKernel } from '../kernel.js';
import type { NumberArray, PortableProgram, PortableThread } from './types.js';
import { input, pass, result } from './types.js';

export interface SoftmaxConstants {
  readonly columns: number;
}

export function softmaxProgram({ rows, columns }: SoftmaxKernel): PortableProgram {
  const constants: SoftmaxConstants = { columns };
  return {
    passes: [
      pass(softmaxLargest, constants, [input(0)], rows),
      pass(softmaxSum, constants, [input(0), result(0)], rows),
      pass(softmax, constants, [input(0), result(0), result(1)], rows * columns),
    ],
    outputs: [2],
  };
}

export function softmaxLargest(this: PortableThread<SoftmaxConstants>, x: NumberArray): number {
  const base = this.thread.x * this.constants.columns;
  let largest = x[base];
  for (let column = 1; column < this.constants.columns; column++) {
    largest = Math.max(largest, x[base + column]);
  }
  return largest;
}

export function softmaxSum(
  this: PortableThread<SoftmaxConstants>,
  x: NumberArray,
  largest: NumberArray,
): number {
  const base = this.thread.x * this.constants.columns;
  let sum = 0;
  for (let column = 0; column < this.constants.columns; column++) {
    sum += Math.exp(x[base + column] - largest[this.thread.x]);
  }
  return sum;
}

export function softmax(
  this: PortableThread<SoftmaxConstants>,
  x: NumberArray,
  largest: NumberArray,
  sum: NumberArray,
): number {
  const row = Math.floor(this.thread.x / this.constants.columns);
  return Math.exp(x[this.thread.x] - largest[row]) / sum[row];
}
