/** The tiles that GEMMs are cut into on the adapters of each class, and which of them a shape takes. */

import { DmpoError } from '../../errors.js';
import type { Target } from '../target.js';
import type { Gemm } from './gemm.js';
import { innerWidth } from './operand.js';

/** Computed by a workgroup: slabs of both operands go through workgroup memory, each invocation owns a micro-tile in registers. */
export interface WorkgroupTile {
  readonly kind: 'workgroup';
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly microRows: number;
  readonly microColumns: number;
}

/** Computed by one invocation in registers, from operands read straight from memory. */
export interface RegisterTile {
  readonly kind: 'register';
  readonly rows: number;
  readonly columns: number;
  /** Neighbouring tiles that form a workgroup. */
  readonly workgroup: number;
}

export type Tile = WorkgroupTile | RegisterTile;

const workgroupTile = (
  rows: number,
  columns: number,
  depth: number,
  microRows: number,
  microColumns: number,
): WorkgroupTile => ({ kind: 'workgroup', rows, columns, depth, microRows, microColumns });

const registerTile = (rows: number, columns: number, workgroup: number): RegisterTile => ({
  kind: 'register',
  rows,
  columns,
  workgroup,
});

const tiles: ReadonlyMap<string, Tile> = new Map<string, Tile>([
  ['32x32x16', workgroupTile(32, 32, 16, 4, 4)],
  ['64x64x16', workgroupTile(64, 64, 16, 4, 4)],
  ['64x64x16 8x4', workgroupTile(64, 64, 16, 8, 4)],
  ['64x128x16', workgroupTile(64, 128, 16, 8, 4)],
  ['128x64x16', workgroupTile(128, 64, 16, 8, 4)],
  ['128x128x8', workgroupTile(128, 128, 8, 8, 8)],
  ['8x8', registerTile(8, 8, 16)],
  ['4x16', registerTile(4, 16, 16)],
]);

export const tileNames: readonly string[] = [...tiles.keys()];

export function tileOf(name: string): Tile {
  const tile = tiles.get(name);
  if (tile === undefined) {
    throw new DmpoError(
      'BAD_OPTION',
      `There is no GEMM tile ${name}.`,
      `Take one of ${tileNames.join(', ')}.`,
    );
  }
  return tile;
}

export function chooseTile(_gemm: Gemm, target: Target): Tile {
  return tileOf(target.adapterClass === 'software' ? '8x8' : '32x32x16');
}

/** Steps of the inner dimension between two decisions: what is staged at once, or what a vector along inner gives. */
export function tileDepth(gemm: Gemm, tile: Tile): number {
  if (tile.kind === 'register') return Math.max(innerWidth(gemm.a), innerWidth(gemm.b));
  return Math.min(tile.depth, Math.max(4, Math.ceil(gemm.inner / 4) * 4));
}

/** Tiles of one product. */
export function tileCount({ rows, columns }: Gemm, tile: Tile): number {
  return Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);
}
