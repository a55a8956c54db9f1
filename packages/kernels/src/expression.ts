/** Expressions: straight-line programs of pointwise operations, evaluated once per element of an index space. */

import type { DType } from './dtype.js';
import type { PointwiseOp } from './pointwise.js';
import type { View } from './view.js';

/**
 * One instruction; its value is referred to by its position in the program. Arguments always precede their use.
 * - `load` reads input number `input` of the command through a view over the index space.
 * - `scalar` reads the command's scalar table: a number that may change from run to run (a learning rate, a random key).
 * - `constant` is a number that is part of the program (compiled in). float32 unless `dtype` says otherwise.
 * - `index` is the affine number offset + sum_d i_d * strides[d] of the current coordinates, as int32.
 * - `accumulator` (epilogues only) is the result of the matmul or convolution at the current element.
 */
export type Instruction =
  | { readonly op: 'load'; readonly dtype: DType; readonly input: number; readonly view: View }
  | { readonly op: 'scalar'; readonly dtype: DType; readonly slot: number }
  | { readonly op: 'constant'; readonly dtype: DType; readonly value: number }
  | {
      readonly op: 'index';
      readonly dtype: 'int32';
      readonly offset: number;
      readonly strides: readonly number[];
    }
  | { readonly op: 'accumulator'; readonly dtype: 'float32' }
  | { readonly op: PointwiseOp; readonly dtype: DType; readonly args: readonly number[] };

export interface Expression {
  readonly instructions: readonly Instruction[];
  /** Positions of the instructions whose values leave the program: one per output of the kernel. */
  readonly results: readonly number[];
}
