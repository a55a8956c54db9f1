/** Builds expressions for tests, one value after another. */

import type { DType } from '../dtype.js';
import type { Expression, Instruction } from '../expression.js';
import { type PointwiseOp, resultType } from '../pointwise.js';
import { contiguousStrides, type View } from '../view.js';

/** The position of an instruction. */
export type Value = number;

export class ExpressionBuilder {
  readonly #shape: readonly number[];
  readonly #instructions: Instruction[] = [];

  constructor(shape: readonly number[]) {
    this.#shape = shape;
  }

  /** Reads an input; through the identity view unless another is given. */
  load(input: number, options: { view?: View; dtype?: DType } = {}): Value {
    const view = options.view ?? { offset: 0, strides: contiguousStrides(this.#shape) };
    return this.#push({ op: 'load', dtype: options.dtype ?? 'float32', input, view });
  }

  scalar(slot: number, dtype: DType = 'float32'): Value {
    return this.#push({ op: 'scalar', dtype, slot });
  }

  constant(value: number, dtype: DType = 'float32'): Value {
    return this.#push({ op: 'constant', dtype, value });
  }

  /** The flat index, or another affine function of the coordinates. */
  index(offset = 0, strides: readonly number[] = contiguousStrides(this.#shape)): Value {
    return this.#push({ op: 'index', dtype: 'int32', offset, strides });
  }

  accumulator(): Value {
    return this.#push({ op: 'accumulator', dtype: 'float32' });
  }

  apply(op: PointwiseOp, ...args: Value[]): Value {
    const dtype = resultType(
      op,
      args.map((arg) => this.#instructions[arg].dtype),
    );
    return this.#push({ op, dtype, args });
  }

  build(...results: Value[]): Expression {
    return { instructions: [...this.#instructions], results };
  }

  #push(instruction: Instruction): Value {
    return this.#instructions.push(instruction) - 1;
  }
}
