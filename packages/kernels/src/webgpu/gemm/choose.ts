/** Which tile a GEMM takes on a target, and into how many parts its sum is split: the cheapest by a model of the costs. */

import type { AdapterClass, Target } from '../target.js';
import type { Gemm } from './gemm.js';
import { REGISTER_DEPTH } from './register-tile.js';
import { possibleSplits, slabsOf } from './split.js';
import {
  dotTiles,
  findTile,
  isPossible,
  LANES,
  type RegisterTile,
  registerTiles,
  smallestRegisterTile,
  type Tile,
  tileOf,
  type WorkgroupTile,
  workgroupTiles,
} from './tiles.js';
import { slabDepth } from './workgroup-tile.js';

export interface Choice {
  readonly tile: Tile;
  /** 1 to sum in one piece. */
  readonly splits: number;
}

/** For tests and tuning: what shall be as it says, not as the model finds best. */
export interface GemmOptions {
  /** The name of a tile. */
  readonly tile?: string;
  /** Parts of the sum; as near as the size allows. */
  readonly splits?: number;
}

/**
 * Decides for a GEMM. A tile found by measuring on this adapter comes before the model's. A tile that the target cannot run, or a
 * measured one that there no longer is, counts for nothing; throws `BAD_OPTION` if the option names none.
 */
export function choose(gemm: Gemm, target: Target, options: GemmOptions = {}): Choice {
  const tuned = findTile(target.tuned?.get(shapeClass(gemm)));
  const named = options.tile === undefined ? tuned : tileOf(options.tile);
  const tiles = named !== undefined && isPossible(named, gemm, target) ? [named] : tilesFor(gemm, target);
  return bestOf(tiles.map((tile) => bestSplit(gemm, tile, target, options.splits))).choice;
}

const MOST_CANDIDATES = 8;

/** Names of the tiles worth measuring for a GEMM, at most eight, the model's choice first. */
export function tileCandidates(gemm: Gemm, target: Target): string[] {
  return tilesFor(gemm, target)
    .map((tile) => bestSplit(gemm, tile, target))
    .sort((one, other) => one.cost - other.cost)
    .slice(0, MOST_CANDIDATES)
    .map(({ choice }) => choice.tile.name);
}

/** GEMMs of one class share what was found by measuring one of them: alike in layout, and in sizes up to a factor of two. */
export function shapeClass({ batch, rows, columns, outer, inner, a, b }: Gemm): string {
  const sizes = [batch, rows, columns, outer * inner].map(
    (size) => 2 ** Math.ceil(Math.log2(Math.max(size, 1))),
  );
  return `${sizes.join('x')} ${a.along}${a.width} ${b.along}${b.width}`;
}

interface Costed {
  readonly choice: Choice;
  readonly cost: number;
}

/**
 * Multiply-adds up to which a software adapter takes the smallest tile: a larger one would save microseconds of each run, and take
 * SwiftShader a tenth of a second more to compile, three times as long.
 */
const NOT_WORTH_COMPILING = 2 ** 18;

function tilesFor(gemm: Gemm, target: Target): Tile[] {
  const { batch, rows, columns, outer, inner } = gemm;
  if (target.adapterClass !== 'software')
    return [...dotTiles, ...workgroupTiles].filter((tile) => isPossible(tile, gemm, target));
  if (batch * rows * columns * outer * inner <= NOT_WORTH_COMPILING) return [smallestRegisterTile];
  return registerTiles.filter((tile) => isPossible(tile, gemm, target));
}

function bestSplit(gemm: Gemm, tile: Tile, target: Target, forced?: number): Costed {
  const depth = depthOf(gemm, tile);
  const wanted = forced === undefined ? reasonableSplits(gemm, depth) : [forced];
  const splits = new Set(wanted.map((one) => possibleSplits(gemm, depth, one)));
  return bestOf(
    [...splits].map((one) => ({ choice: { tile, splits: one }, cost: cost(gemm, tile, one, depth, target) })),
  );
}

function depthOf(gemm: Gemm, tile: Tile): number {
  switch (tile.kind) {
    case 'workgroup':
      return slabDepth(gemm, tile);
    case 'register':
      return REGISTER_DEPTH;
    case 'dot':
      return tile.depth;
    default:
      return tile satisfies never;
  }
}

/** Floats of partial sums that a split may take: 64 MiB. */
const MOST_PARTIALS = 2 ** 24;
/** A part sums at least so many slabs. */
const FEWEST_SLABS = 8;

function reasonableSplits(gemm: Gemm, depth: number): number[] {
  const { batch, rows, columns } = gemm;
  return [1, 2, 4, 8, 16, 32].filter(
    (splits) =>
      splits === 1 ||
      (splits * FEWEST_SLABS <= slabsOf(gemm, depth) && splits * batch * rows * columns <= MOST_PARTIALS),
  );
}

function bestOf(costed: readonly Costed[]): Costed {
  return costed.reduce((best, one) => (one.cost < best.cost ? one : best));
}

/**
 * What the model knows of a class of adapters. Costs are in multiply-adds of one slot, a workgroup that runs at its own pace.
 * The numbers are rough on purpose: they order tiles, and measuring replaces them.
 */
interface CostModel {
  /** Workgroups that run at once: two on each of a card's sixty or an Apple GPU's sixteen cores; threads of a software adapter. */
  readonly slots: number;
  /** Writing, reading and adding one partial sum, shared by all slots. */
  readonly partial: number;
  /** The second dispatch of a split. */
  readonly dispatch: number;
}

const models: Readonly<Record<AdapterClass, CostModel>> = {
  discrete: { slots: 128, partial: 160, dispatch: 100_000 },
  apple: { slots: 32, partial: 80, dispatch: 100_000 },
  integrated: { slots: 16, partial: 80, dispatch: 50_000 },
  // SwiftShader on two cores; instructions of a vector of four invocations.
  software: { slots: 2, partial: 40, dispatch: 200_000 },
};

function cost(gemm: Gemm, tile: Tile, splits: number, depth: number, target: Target): number {
  const { slots, partial, dispatch } = models[target.adapterClass];
  const { units, slab } = workOf(gemm, tile, depth, splits);
  // A slot that has less than a unit to do still waits for one.
  const sum = Math.max(1 / splits, units / slots) * slab * slabsOf(gemm, depth);
  if (splits === 1) return sum;
  return sum + (splits * gemm.batch * gemm.rows * gemm.columns * partial) / slots + dispatch;
}

/** What there is to do: so many units, each so expensive per slab. */
interface Work {
  readonly units: number;
  readonly slab: number;
}

function workOf(gemm: Gemm, tile: Tile, depth: number, splits: number): Work {
  switch (tile.kind) {
    case 'workgroup':
      return workgroupWork(gemm, tile, depth, splits === 1);
    case 'register':
      return registerWork(gemm, tile);
    case 'dot':
      // Each element of the matrix comes straight from memory, at the price of some products.
      return { units: tilesOf(gemm, tile.rows, tile.columns), slab: (gemm.rows + 4) * tile.columns * depth };
    default:
      return tile satisfies never;
  }
}

/** Instructions of SwiftShader's code: a load of a vec4 for four invocations, a multiply-add, and a visit of a sum in memory. */
const LOAD = 280;
const MULTIPLY_ADD = 4;
const VISIT = 11;

function registerWork(gemm: Gemm, tile: RegisterTile): Work {
  const lanesOfA = tile.shared === 'a' ? LANES : 1;
  const lanesOfB = tile.shared === 'b' ? LANES : 1;
  const blocks = tilesOf(gemm, tile.rows * lanesOfB, tile.columns * lanesOfA);
  const loads = tile.rows / lanesOfA + tile.columns / lanesOfB;
  const products = tile.rows * tile.columns * (REGISTER_DEPTH * MULTIPLY_ADD + VISIT);
  return { units: Math.ceil((blocks * lanesOfA * lanesOfB) / LANES), slab: loads * LOAD + products };
}

/** Multiply-adds that take as long as one float from memory, most of which the caches hold. */
const MEMORY_READ = 16;

/**
 * Per multiply-add, a micro-tile reads less workgroup memory, and a tile less memory, the larger it is. With inputs to an epilogue the
 * registers of larger micro-tiles no longer suffice: 64x64 with 4x4 was half as fast again as 64x128 with 8x4 (torchlette).
 */
function workgroupWork(gemm: Gemm, tile: WorkgroupTile, depth: number, hasEpilogue: boolean): Work {
  const { rows, columns, microRows, microColumns } = tile;
  const reads = 1 / microRows + 1 / microColumns + MEMORY_READ * (1 / rows + 1 / columns);
  const isCrowded = hasEpilogue && gemm.epilogue.buffers.length > 0 && microRows * microColumns > 16;
  // Below 256 invocations a workgroup hides latency less well.
  const invocations = (rows / microRows) * (columns / microColumns);
  const pace = (1 + reads) * (isCrowded ? 1.5 : 1) * (invocations < 128 ? 1.1 : 1);
  return { units: tilesOf(gemm, rows, columns), slab: rows * columns * depth * pace };
}

function tilesOf({ batch, rows, columns }: Gemm, tileRows: number, tileColumns: number): number {
  return batch * Math.ceil(rows / tileRows) * Math.ceil(columns / tileColumns);
}
