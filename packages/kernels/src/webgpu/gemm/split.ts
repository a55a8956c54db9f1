/** Split-K: parts of the summed dimension summed by different workgroups, then added in order by a second dispatch. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { storeResult, storeWidth } from './store.js';

/** The sum is cut into slabs of `depth` steps of inner, the last one of an outer step possibly short; a part is some slabs in a row. */
export const slabsOf = ({ outer, inner }: Gemm, depth: number): number => outer * Math.ceil(inner / depth);

/** The nearest number of parts, none of them empty. */
export function possibleSplits(gemm: Gemm, depth: number, wanted: number): number {
  const slabs = slabsOf(gemm, depth);
  if (wanted <= 1 || slabs <= 1) return 1;
  return Math.ceil(slabs / Math.ceil(slabs / wanted));
}

/** Text of the loops over the part of the sum called `split`: setup, then the outer loop, in it range, then slabs from begin to end. */
export interface SumLoops {
  readonly setup: readonly string[];
  /** Declares `outer` and opens a brace. */
  readonly outer: string;
  readonly range: readonly string[];
  readonly begin: string;
  readonly end: string;
  /** The end of those slabs that are not short. */
  readonly wholeEnd: string;
  /** Whether the part has the short slab of this outer step. */
  readonly hasShort: string;
}

export function sumLoops(gemm: Gemm, depth: number, splits: number): SumLoops {
  const slabs = Math.ceil(gemm.inner / depth);
  const whole = Math.floor(gemm.inner / depth);
  if (splits === 1) {
    return {
      setup: [],
      outer: `for (var outer = 0u; outer < ${gemm.outer}u; outer++) {`,
      range: [],
      begin: '0u',
      end: `${slabs}u`,
      wholeEnd: `${whole}u`,
      hasShort: 'true',
    };
  }
  const total = slabsOf(gemm, depth);
  const each = Math.ceil(total / splits);
  return {
    setup: [`let first_slab = split * ${each}u;`, `let end_slab = min(first_slab + ${each}u, ${total}u);`],
    outer: `for (var outer = first_slab / ${slabs}u; outer * ${slabs}u < end_slab; outer++) {`,
    range: [
      `let begin = max(first_slab, outer * ${slabs}u) - outer * ${slabs}u;`,
      `let end = min(end_slab - outer * ${slabs}u, ${slabs}u);`,
    ],
    begin: 'begin',
    end: 'end',
    wholeEnd: whole === slabs ? 'end' : `min(end, ${whole}u)`,
    hasShort: `end == ${slabs}u`,
  };
}

const WORKGROUP = 64;

/** Adds the partial sums of every element in the order of the parts, and finishes it. */
export function sumPartials(gemm: Gemm, splits: number, scratch: number, target: Target): Dispatch {
  const { batch, rows, columns } = gemm;
  const width = storeWidth(gemm);
  const perRow = Math.ceil(columns / 4);
  const count = batch * rows * perRow;
  const grid = linearGrid(Math.ceil(count / WORKGROUP), target);
  const store = storeResult(gemm, { rows, columns });
  const load =
    width === 4
      ? ['return load_partials(flat / 4u);']
      : [
          'var sums = vec4f();',
          `for (var c = 0u; c < min(4u, ${columns}u - column); c++) { sums[c] = load_partials(flat + c); }`,
          'return sums;',
        ];
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
      fn load_sums(flat: u32, column: u32) -> vec4f {
        ${load}
      }

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
          sums += load_sums(flat + split * ${batch * rows * columns}u, column);
        }
        store_sums(batch, 0u, row, column, sums);
      }
    `,
  };
}
