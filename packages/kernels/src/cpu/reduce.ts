/** Brings reductions into the form of assembly/reduce.ts: an index space [outer, rows, inner] of which the rows are reduced. */

import type { DType } from '../dtype.js';
import type { Expression, Instruction } from '../expression.js';
import type { ReduceKernel } from '../kernel.js';
import { elementCount } from '../view.js';
import * as code from './assembly/opcodes.js';
import type { Program } from './program.js';

export interface ReduceOrder {
  readonly shape: readonly number[];
  readonly expression: Expression;
  readonly outer: number;
  readonly rows: number;
  readonly inner: number;
}

/** How a reduction is cut into tasks; the numbers are those of assembly/reduce.ts. */
export interface ReduceTasks {
  readonly tile: number;
  readonly tiles: number;
  readonly slices: number;
  readonly sliceRows: number;
  readonly group: number;
}

/** Elements that are worth a task of their own. */
const TASK_ELEMENTS = 16384;
/** Slicing stops at so many tasks. */
const ENOUGH_TASKS = 64;

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
    outer: count(outer),
    rows: count(rows),
    inner: count(inner),
  };
}

export function planTasks({ outer, rows, inner }: ReduceOrder, block: number): ReduceTasks {
  const tile = Math.min(inner, block);
  const tiles = Math.ceil(inner / tile);
  const wanted = Math.min(
    Math.ceil((rows * tile) / TASK_ELEMENTS),
    Math.ceil(ENOUGH_TASKS / (outer * tiles)),
  );
  const sliceRows = Math.ceil(rows / Math.max(1, wanted));
  const slices = Math.ceil(rows / sliceRows);
  const group = slices > 1 ? 1 : Math.min(outer, Math.max(1, Math.floor(TASK_ELEMENTS / (rows * tile))));
  return { tile, tiles, slices, sliceRows, group };
}

export function reductionCode(reduction: ReduceKernel['reduction'], dtype: DType): number {
  switch (dtype) {
    case 'float32':
      return reduction === 'max' ? code.REDUCE_MAX_F : code.REDUCE_SUM_F;
    case 'int32':
      return reduction === 'max' ? code.REDUCE_MAX_S : code.REDUCE_SUM_I;
    case 'uint32':
    case 'bool':
      return reduction === 'max' ? code.REDUCE_MAX_U : code.REDUCE_SUM_I;
    default:
      return dtype satisfies never;
  }
}

/** Scratch memory for the partial results of slices. */
export function reduceScratch({ outer, inner }: ReduceOrder, { slices }: ReduceTasks): number {
  return slices > 1 ? 8 * slices * outer * inner : 0;
}

/** Memory of its own that each thread needs after that of the program: a tile of sums, in float32 and in cells. */
export function reduceThreadBytes(program: Program, { tile }: ReduceTasks): number {
  return program.threadBytes + 12 * tile + 64;
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
