/** How a reduction is cut into tasks for assembly/reduce.ts. */

import type { DType } from '../dtype.js';
import type { ReduceKernel } from '../kernel.js';
import type { ReduceOrder } from '../reduce-order.js';
import * as code from './assembly/opcodes.js';
import type { Program } from './program.js';

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
    case 'float16':
      throw new RangeError('a reduction of float16');
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
