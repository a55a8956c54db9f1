/** How a GEMM reads its operands: the protocol between the tiled loops and whatever computes addresses. */

import type { BufferUse } from '../program.js';

/**
 * One operand of C[row, column] = sum over outer and inner of A[row, (outer, inner)] * B[(outer, inner), column].
 *
 * The summed dimension is `outer` x `inner`. A matrix product has one outer step. A forward convolution has the filter's taps
 * outside and the input channels inside; its filter gradient has image rows outside and columns inside; its input gradient has
 * the taps outside and the output channels inside.
 *
 * An operand called `a` brings these functions. "Row" is the index that is not summed: a row of A, a column of B.
 *
 *     fn a_row(batch: u32, row: u32) -> State     once per row that an invocation reads, before the loops; may divide
 *     fn a_outer(state: State, outer: u32) -> Base    once per row and outer step; may look tables up
 *     fn a_load(base: Base, step: u32) -> vec4f or f32    in the innermost loop: an addition, at most a comparison
 *
 * State and Base are any WGSL types, a u32 or a struct that the code declares (named with the prefix: `aState`).
 *
 * `step` counts loads along inner: it is `inner / 4` if a load is a vector along inner, else `inner`. The GEMM calls these functions
 * only with `row` below the number of rows (it clamps, and discards the results), `outer` below outer and `step` within inner.
 * The operand returns zeros itself where it has none, as in the padding of a convolution, and never reads outside its buffers.
 */
export interface Operand {
  /** Prefix of the functions. */
  readonly name: string;
  /** The index along which neighbours lie side by side in memory, and hence the elements of one load if it is a vector. */
  readonly along: 'inner' | 'row';
  /**
   * Elements of one load. 4 along inner: inner is divisible by 4. 4 along row: the number of rows is divisible by 4, and `row`
   * is the first of four rows, a multiple of four.
   */
  readonly width: 1 | 4;
  readonly code: string;
  /** Buffers that the code reads. Names must differ from those of the other operand, from e<number> (the epilogue), `result` and `partials`. */
  readonly buffers: readonly BufferUse[];
}

/** Steps of inner that one load brings. */
export const innerWidth = ({ along, width }: Operand): 1 | 4 => (along === 'inner' ? width : 1);

/** Rows that one load brings. */
export const rowWidth = ({ along, width }: Operand): 1 | 4 => (along === 'row' ? width : 1);
