/** The tiles that a GEMM can be cut into. */

import { DmpoError } from '../../errors.js';
import type { Target } from '../target.js';
import type { Gemm } from './gemm.js';
import { innerWidth, type Operand, rowWidth } from './operand.js';

export type Tile = WorkgroupTile | RegisterTile | DotTile;

/** Computed by a workgroup: slabs of both operands go through workgroup memory, each invocation owns a micro-tile in registers. */
export interface WorkgroupTile {
  readonly kind: 'workgroup';
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Steps of inner in a slab. */
  readonly depth: number;
  readonly microRows: number;
  readonly microColumns: number;
}

/** Computed by one invocation in registers, from operands read straight from memory. */
export interface RegisterTile {
  readonly kind: 'register';
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /**
   * The operand that four invocations share: their tiles lie side by side, each loads a quarter of what all four need of it, and
   * broadcasts that in its subgroup. Only where subgroups are of four, and consecutive invocations form one.
   */
  readonly shared?: 'a' | 'b';
}

/** Computed by a workgroup whose invocations share each sum: of a few columns, and of all rows, which are at most so many. */
export interface DotTile {
  readonly kind: 'dot';
  readonly name: string;
  readonly rows: number;
  readonly columns: 4;
  readonly invocations: number;
  /** Steps of inner that all invocations take at once, in vectors of four. */
  readonly depth: number;
}

/** Invocations that share an operand. */
export const LANES = 4;

const workgroupTile = (
  rows: number,
  columns: number,
  depth: number,
  microRows: number,
  microColumns: number,
): WorkgroupTile => ({
  kind: 'workgroup',
  name: `${rows}x${columns}x${depth}/${microRows}x${microColumns}`,
  rows,
  columns,
  depth,
  microRows,
  microColumns,
});

const registerTile = (rows: number, columns: number, shared?: 'a' | 'b'): RegisterTile => ({
  kind: 'register',
  name: `${rows}x${columns}${shared === undefined ? '' : ` ${shared} shared`}`,
  rows,
  columns,
  ...(shared === undefined ? {} : { shared }),
});

/**
 * For GPUs. The sizes are those that others found by sweeping: 32x32 with 4x4 (tfjs, ONNX Runtime, ggml on four makers' GPUs),
 * 64x64x16, 64x128x16 and 128x128x8 (torchlette on V100 and A100). 8-wide ones are for products with few rows or columns.
 */
export const workgroupTiles: readonly WorkgroupTile[] = [
  workgroupTile(64, 64, 16, 4, 4),
  workgroupTile(32, 32, 16, 4, 4),
  workgroupTile(64, 64, 16, 8, 4),
  workgroupTile(64, 128, 16, 8, 4),
  workgroupTile(128, 64, 16, 8, 4),
  workgroupTile(128, 128, 8, 8, 8),
  workgroupTile(8, 128, 16, 4, 4),
  workgroupTile(128, 8, 16, 4, 4),
];

/** For GPUs, where the linear layers of a time embedding have one row per image: bound by reading the matrix. */
export const dotTiles: readonly DotTile[] = [
  { kind: 'dot', name: 'dot 8x4', rows: 8, columns: 4, invocations: 64, depth: 256 },
];

/** The program of which is the shortest. */
export const smallestRegisterTile = registerTile(4, 4);

/** For adapters that imitate a GPU. */
export const registerTiles: readonly RegisterTile[] = [
  registerTile(16, 8, 'a'),
  registerTile(8, 16, 'b'),
  registerTile(16, 4, 'a'),
  registerTile(4, 16, 'b'),
  registerTile(4, 8, 'a'),
  registerTile(8, 4, 'b'),
  registerTile(8, 8),
  smallestRegisterTile,
];

const tiles: readonly Tile[] = [...workgroupTiles, ...registerTiles, ...dotTiles];

export const tileNames: readonly string[] = tiles.map(({ name }) => name);

export function findTile(name: string | undefined): Tile | undefined {
  return tiles.find((tile) => tile.name === name);
}

/** Throws `BAD_OPTION` if there is none. */
export function tileOf(name: string): Tile {
  const tile = findTile(name);
  if (tile !== undefined) return tile;
  throw new DmpoError(
    'BAD_OPTION',
    `There is no GEMM tile '${name}'.`,
    `Take one of ${tileNames.join(', ')}.`,
  );
}

/** Whether programs for the target may consist of such tiles, and the GEMM's operands suit them. */
export function isPossible(tile: Tile, gemm: Gemm, target: Target): boolean {
  if (tile.kind === 'dot') {
    const { rows, invocations } = tile;
    const hasVectors = innerWidth(gemm.a) === 4 && innerWidth(gemm.b) === 4;
    return gemm.rows <= rows && hasVectors && 16 * rows * invocations <= target.workgroupBytes;
  }
  if (tile.kind === 'workgroup') {
    const invocations = (tile.rows / tile.microRows) * (tile.columns / tile.microColumns);
    return invocations <= target.invocations && workgroupBytes(tile) <= target.workgroupBytes;
  }
  const canShare = (operand: Operand, rows: number) => rows % (LANES * rowWidth(operand)) === 0;
  if (tile.shared === undefined) return true;
  if (target.subgroupSize !== LANES) return false;
  return tile.shared === 'a' ? canShare(gemm.a, tile.rows) : canShare(gemm.b, tile.columns);
}

/** Floats from one step of a staged slab to the next: a few more than its rows, so that scattered stores meet fewer bank conflicts. */
export const slabStride = (rows: number): number => rows + 4;

function workgroupBytes({ rows, columns, depth }: WorkgroupTile): number {
  return 4 * depth * (slabStride(rows) + slabStride(columns));
}
