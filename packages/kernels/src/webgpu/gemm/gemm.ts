/** Matrix products and what reduces to them: C[row, column] = sum over k of A[row, k] * B[k, column], in one or two dispatches. */

import type { EpilogueCode } from '../epilogue.js';
import type { Dispatch, Place, Program } from '../program.js';
import type { Target } from '../target.js';
import { choose, type GemmOptions, shapeClass, tileCandidates } from './choose.js';
import { dotTileDispatch } from './dot-tile.js';
import type { Operand } from './operand.js';
import { registerTileDispatch } from './register-tile.js';
import { sumPartials } from './split.js';
import type { Tile } from './tiles.js';
import { workgroupTileDispatch } from './workgroup-tile.js';

export interface Gemm {
  readonly label: string;
  /** Independent products. */
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  /** The summed dimension is outer x inner: see operand.ts. If outer is 0 the products are zero. */
  readonly outer: number;
  readonly inner: number;
  /** Its "row" is a row of the result. */
  readonly a: Operand;
  /** Its "row" is a column of the result. */
  readonly b: Operand;
  readonly epilogue: EpilogueCode;
  /** The buffer that receives the result. */
  readonly output: Place;
  /**
   * WGSL of `fn output_row(batch: u32, row: u32) -> u32`, the element of the output in column 0 of a row; a multiple of 4 if the
   * number of columns is. Without it the result is contiguous over [batch, rows, columns].
   */
  readonly outputRow?: string;
}

/** A program that computes several GEMMs one after another; their results do not overlap. */
export function gemmProgram(gemms: readonly Gemm[], target: Target, options: GemmOptions = {}): Program {
  const dispatches: Dispatch[] = [];
  const scratch: number[] = [];
  for (const gemm of gemms) {
    const { tile, splits } = choose(gemm, target, options);
    const dispatch = tileDispatch(gemm, tile, splits, scratch.length, target);
    const choice = { shapeClass: shapeClass(gemm), candidates: () => tileCandidates(gemm, target) };
    dispatches.push({ ...dispatch, tile: choice });
    if (splits === 1) continue;
    dispatches.push(sumPartials(gemm, splits, scratch.length, target));
    scratch.push(splits * gemm.batch * gemm.rows * gemm.columns);
  }
  return { dispatches, scratch };
}

function tileDispatch(gemm: Gemm, tile: Tile, splits: number, scratch: number, target: Target): Dispatch {
  switch (tile.kind) {
    case 'workgroup':
      return workgroupTileDispatch(gemm, tile, splits, scratch, target);
    case 'register':
      return registerTileDispatch(gemm, tile, splits, scratch, target);
    case 'dot':
      return dotTileDispatch(gemm, tile, splits, scratch, target);
    default:
      return tile satisfies never;
  }
}
