/**
 * How norms walk over [images, positions, channels] column by column: an invocation owns a vector of channels and adds up
 * positions with no regard to other channels. Positions are cut into chunks, for parts that are put together afterwards.
 */

import { additions, BLOCK, blockAdditions, type Terms, zeros } from './lane-sums.js';
import { linearGrid } from './program.js';
import type { AdapterClass, Target } from './target.js';
import { wgsl } from './wgsl.js';

interface WalkTuning {
  /** Invocations of a workgroup. */
  readonly workgroup: number;
  /** Columns side by side in a workgroup: 32 vectors are 512 contiguous bytes. The remaining invocations are lanes. */
  readonly columns: number;
  /** Positions that one invocation adds up, at least and at most. */
  readonly fewest: number;
  readonly most: number;
  /** Invocations that fill the adapter: chunks are made longer once there are so many. */
  readonly enough: number;
}

/**
 * On a graphics card, lanes of a workgroup share a chunk and put their sums together in workgroup memory (sizes after kernels of
 * Apex and of SGLang for Stable Diffusion: at least 8 positions each, and hundreds of workgroups). Software adapters run
 * neighbouring invocations as lanes of one SSE vector on a few threads: they want long loops and no barriers (SwiftShader: within 15 %
 * of each other for 8 to 64 positions at least, 64 the fastest).
 */
const graphics: WalkTuning = { workgroup: 256, columns: 32, fewest: 8, most: 64, enough: 512 * 256 };
const tuning: Record<AdapterClass, WalkTuning> = {
  discrete: graphics,
  apple: graphics,
  integrated: { ...graphics, workgroup: 128, enough: 128 * 128 },
  software: { workgroup: 32, columns: 32, fewest: 64, most: 256, enough: 1024 },
};

export interface ColumnWalk {
  /** Chunks of each image, and positions of each but the last of them. */
  readonly chunks: number;
  readonly length: number;
  /** Invocations of a workgroup that share a column of a chunk, and columns side by side in a workgroup. */
  readonly lanes: number;
  readonly places: number;
  readonly workgroupSize: number;
  readonly workgroups: readonly [number, number, number];
  /**
   * WGSL that declares, from `group` and `local`: `chunk` (of all images' chunks) and its `image`; the `column`, and whether it
   * `isInside`; the first vector `base` of the chunk's column; the chunk's number `count` of positions.
   */
  readonly locate: string;
  /** WGSL: runs `body` at every position of this lane, the vector there being `at`. Only columns inside should store. */
  each(body: readonly string[]): string;
  /** WGSL that declares the sums of `terms`, of one WGSL type, over the positions of this lane. `lines` come before each term. */
  sums(type: string, lines: readonly string[], terms: Terms): string;
}

export interface ColumnWalkOptions {
  /** One chunk an image, for sums that end here. */
  readonly whole?: boolean;
  /** Each invocation for itself: nothing is put together, and there need be no barrier. */
  readonly apart?: boolean;
}

/** A walk over [images, positions, columns], where a column is a vector of channels. */
export function columnWalk(
  images: number,
  positions: number,
  columns: number,
  target: Target,
  { whole = false, apart = false }: ColumnWalkOptions = {},
): ColumnWalk {
  const { workgroup, columns: most, ...limits } = tuning[target.adapterClass];
  const isSoftware = target.adapterClass === 'software';
  const tiles = isSoftware ? 1 : Math.ceil(columns / most);
  const places = isSoftware ? 1 : Math.ceil(columns / tiles);
  const lanes = isSoftware ? 1 : powerOfTwo(Math.min(workgroup / places, positions));
  const workers = images * positions * columns;
  const each = Math.min(Math.max(Math.ceil(workers / limits.enough), limits.fewest), limits.most);
  const length = whole ? positions : Math.min(positions, lanes * (apart ? limits.fewest : each));
  const chunks = Math.ceil(positions / length);

  const units = isSoftware ? images * chunks * columns : images * chunks * tiles;
  const perWorkgroup = isSoftware ? workgroup : 1;
  const grid = linearGrid(Math.ceil(units / perWorkgroup), target);
  const own = isSoftware
    ? wgsl`
        let unit = ${grid.index} * ${workgroup}u + local;
        if (unit >= ${units}u) { return; }
        let chunk = unit / ${columns}u;
        let column = unit % ${columns}u;
        let lane = 0u;
        let isInside = true;
      `
    : wgsl`
        let unit = ${grid.index};
        if (unit >= ${units}u) { return; }
        let chunk = unit / ${tiles}u;
        let place = (unit % ${tiles}u) * ${places}u + local % ${places}u;
        let lane = local / ${places}u;
        let isInside = place < ${columns}u;
        let column = min(place, ${columns - 1}u);
      `;
  return {
    chunks,
    length,
    lanes,
    places,
    workgroupSize: isSoftware ? workgroup : lanes * places,
    workgroups: grid.workgroups,
    locate: wgsl`
      ${own.trimEnd()}
      let image = chunk / ${chunks}u;
      let start = (chunk % ${chunks}u) * ${length}u;
      let count = min(${length}u, ${positions}u - start);
      let base = (image * ${positions}u + start) * ${columns}u + column;
    `.trimEnd(),
    each: (body) =>
      wgsl`
        for (var position = lane; position < count; position += ${lanes}u) {
          let at = base + position * ${columns}u;
          ${body}
        }
      `.trimEnd(),
    sums: (type, lines, terms) =>
      wgsl`
        ${zeros(terms, type)}
        for (var block = lane; block < count; block += ${lanes * BLOCK}u) {
          ${zeros(terms, type, 'block_')}
          for (var position = block; position < min(block + ${lanes * BLOCK}u, count); position += ${lanes}u) {
            let at = base + position * ${columns}u;
            ${lines}
            ${additions(terms, 'block_')}
          }
          ${blockAdditions(terms)}
        }
      `.trimEnd(),
  };
}

/** The largest that is not above the value. */
export function powerOfTwo(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}
