/** Brings reductions into one form: an index space [outer, rows, inner] of which the rows are reduced. */

import type { Expression, Instruction } from './expression.js';
import type { ReduceKernel } from './kernel.js';
import { elementCount } from './view.js';

export interface ReduceOrder {
  readonly shape: readonly number[];
  readonly expression: Expression;
  /** How many dimensions of the shape are outer, rows, inner. */
  readonly dimensions: readonly [outer: number, rows: number, inner: number];
  readonly outer: number;
  readonly rows: number;
  readonly inner: number;
}

/**
 * Orders the dimensions: kept ones that have a reduced one to their right, then the reduced ones, then the other kept ones.
 * The output, contiguous over the kept dimensions in their own order, is then contiguous over [outer, inner].
 */
export function orderReduction({ shape, axes, expression }: ReduceKernel): ReduceOrder {
  const isReduced = (d: number) => axes.includes(d);
  // Dimensions of one element are the same wherever they stand.
  const lastReduced = Math.max(-1, ...axes.filter((d) => shape[d] !== 1));
  const dimensions = shape.map((_, d) => d);
  const outer = dimensions.filter((d) => !isReduced(d) && d < lastReduced);
  const rows = dimensions.filter(isReduced);
  const inner = dimensions.filter((d) => !isReduced(d) && d >= lastReduced);
  const order = [...outer, ...rows, ...inner];
  const count = (list: readonly number[]) => elementCount(list.map((d) => shape[d]));
  return {
    shape: order.map((d) => shape[d]),
    expression: {
      ...expression,
      instructions: expression.instructions.map((instruction) => reorder(instruction, order)),
    },
    dimensions: [outer.length, rows.length, inner.length],
    outer: count(outer),
    rows: count(rows),
    inner: count(inner),
  };
}

function reorder(instruction: Instruction, order: readonly number[]): Instruction {
  if (instruction.op === 'index') {
    return { ...instruction, strides: order.map((d) => instruction.strides[d]) };
  }
  if (instruction.op !== 'load') return instruction;
  const { offset, strides, valid } = instruction.view;
  return {
    ...instruction,
    view: {
      offset,
      strides: order.map((d) => strides[d]),
      ...(valid && { valid: order.map((d) => valid[d]) }),
    },
  };
}
