/** Matrix product of a batch: output [batch, m, n]. */

import type { NumberArray, PortableThread } from './types.js';

export interface MatmulConstants {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements from one matrix of the batch to the next, 0 when one serves all, and between rows and columns of op(a), op(b). */
  readonly batchStrideA: number;
  readonly rowStrideA: number;
  readonly columnStrideA: number;
  readonly batchStrideB: number;
  readonly rowStrideB: number;
  readonly columnStrideB: number;
}

export function matmul(this: PortableThread<MatmulConstants>, a: NumberArray, b: NumberArray): number {
  const column = this.thread.x % this.constants.n;
  const row = Math.floor(this.thread.x / this.constants.n) % this.constants.m;
  const batch = Math.floor(this.thread.x / (this.constants.n * this.constants.m));
  const aBase = batch * this.constants.batchStrideA + row * this.constants.rowStrideA;
  const bBase = batch * this.constants.batchStrideB + column * this.constants.columnStrideB;
  let sum = 0;
  for (let i = 0; i < this.constants.k; i++) {
    sum += a[aBase + i * this.constants.columnStrideA] * b[bBase + i * this.constants.rowStrideB];
  }
  return sum;
}
