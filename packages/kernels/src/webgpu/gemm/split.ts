/** Split-K: parts of the summed dimension summed by different workgroups, then added in order by a second dispatch. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { storeResult, storeWidth } from './store.js';
import { type Tile, tileDepth } from './tiles.js';

/** Slabs of one outer step: pieces of the inner dimension of the tile's depth, the last one possibly short. */
export const slabsPerOuter = (gemm: Gemm, tile: Tile): number =>
  Math.ceil(gemm.inner / tileDepth(gemm, tile));

/** How many parts the sum is cut into; `wanted` if that many can be had. */
export function splitsOf(gemm: Gemm, tile: Tile, wanted = 1): number {
  const slabs = gemm.outer * slabsPerOuter(gemm, tile);
  const splits = Math.min(wanted, slabs);
  if (splits <= 1) return 1;
  // None of the parts may be empty.
  return Math.ceil(slabs / Math.ceil(slabs / splits));
}

/** The loops over a part of the sum, for skeletons: each header opens a brace. */
export interface SumLoops {
  /** Before the loops. Reads `split`. */
  readonly setup: readonly string[];
  /** Declares `outer`. */
  readonly outer: string;
  /** Inside outer, before the slabs. */
  readonly range: readonly string[];
  /** Declares `slab`, the slab's number within the outer step. */
  readonly slab: string;
}

export function sumLoops(gemm: Gemm, tile: Tile, splits: number): SumLoops {
  const slabs = slabsPerOuter(gemm, tile);
  if (splits === 1) {
    return {
      setup: [],
      outer: `for (var outer = 0u; outer < ${gemm.outer}u; outer++) {`,
      range: [],
      slab: `for (var slab = 0u; slab < ${slabs}u; slab++) {`,
    };
  }
  const total = gemm.outer * slabs;
  const each = Math.ceil(total / splits);
  return {
    setup: [`let first_slab = split * ${each}u;`, `let end_slab = min(first_slab + ${each}u, ${total}u);`],
    outer: `for (var outer = first_slab / ${slabs}u; outer * ${slabs}u < end_slab; outer++) {`,
    range: [
      `let first = max(first_slab, outer * ${slabs}u) - outer * ${slabs}u;`,
      `let end = min(end_slab - outer * ${slabs}u, ${slabs}u);`,
    ],
    slab: 'for (var slab = first; slab < end; slab++) {',
  };
}

const WORKGROUP = 64;

/** Adds the partial sums of every element in the order of the splits, and finishes it. */
export function sumPartials(gemm: Gemm, splits: number, scratch: number, target: Target): Dispatch {
  const { batch, rows, columns } = gemm;
  const width = storeWidth(gemm);
  const perRow = Math.ceil(columns / 4);
  const count = batch * rows * perRow;
  const grid = linearGrid(Math.ceil(count / WORKGROUP), target);
  const store = storeResult(gemm, { rows, columns });
  const splitStride = (batch * rows * columns) / width;
  const load = wgsl`
    fn load_sums(flat: u32, column: u32) -> vec4f {
      ${
        width === 4
          ? 'return load_partials(flat / 4u);'
          : [
              'var sums = vec4f();',
              `for (var c = 0u; c < min(4u, ${columns}u - column); c++) { sums[c] = load_partials(flat + c); }`,
              'return sums;',
            ]
      }
    }
  `;
  return {
    label: `${gemm.label} sum of ${splits}`,
    buffers: [
      { name: 'partials', place: { scratch }, dtype: 'float32', width, access: 'read' },
      ...store.buffers,
    ],
    scalars: store.scalars,
    workgroups: grid.workgroups,
    code: wgsl`
      ${store.code}
      ${load}
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let index = ${grid.index} * ${WORKGROUP}u + local;
        if (index >= ${count}u) { return; }
        let column = index % ${perRow}u * 4u;
        let row = index / ${perRow}u % ${rows}u;
        let batch = index / ${perRow * rows}u;
        let flat = (batch * ${rows}u + row) * ${columns}u + column;

        var sums = load_sums(flat, column);
        for (var split = 1u; split < ${splits}u; split++) {
          sums += load_sums(flat + split * ${splitStride * width}u, column);
        }
        store_sums(batch, 0u, row, column, sums);
      }
    `,
  };
}
