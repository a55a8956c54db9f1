/** How norms walk over a whole group at a time, [groups][rows, vectors]: by the lanes of a workgroup, or by one invocation. */

import { powerOfTwo } from './column-walk.js';
import { additions, BLOCK, blockAdditions, type Terms, zeros } from './lane-sums.js';
import { linearGrid } from './program.js';
import type { AdapterClass, Target } from './target.js';
import { wgsl } from './wgsl.js';

interface GroupTuning {
  /** Lanes of a group at most; 1 where each invocation has a group of its own. */
  readonly lanes: number;
  /** Invocations of a workgroup whose invocations have groups of their own. */
  readonly workgroup: number;
}

/** A workgroup per row is what made LayerNorm of others 20 times faster on graphics cards; software has no use for lanes. */
const tuning: Record<AdapterClass, GroupTuning> = {
  discrete: { lanes: 256, workgroup: 64 },
  apple: { lanes: 256, workgroup: 64 },
  integrated: { lanes: 128, workgroup: 64 },
  software: { lanes: 1, workgroup: 16 },
};

/** Vectors of a group that one lane takes at least. */
const VECTORS_OF_LANE = 4;

export interface GroupWalk {
  readonly lanes: number;
  readonly workgroupSize: number;
  readonly workgroups: readonly [number, number, number];
  /** WGSL that declares, from `group` and `local`: the group's `index` and this invocation's `lane`. */
  readonly locate: string;
  /** WGSL: runs `body` for every vector of this lane, in `row` and `column` of the group. */
  each(body: readonly string[]): string;
  /** WGSL that declares the sums of `terms`, of one WGSL type, over the vectors of this lane. `lines` come before each term. */
  sums(type: string, lines: readonly string[], terms: Terms): string;
}

export function groupWalk(groups: number, rows: number, columns: number, target: Target): GroupWalk {
  const { lanes: most, workgroup } = tuning[target.adapterClass];
  const vectors = rows * columns;
  const lanes = Math.min(most, powerOfTwo(Math.max(1, vectors / VECTORS_OF_LANE)));
  const isAlone = lanes === 1;
  const grid = linearGrid(isAlone ? Math.ceil(groups / workgroup) : groups, target);
  const loop = (body: readonly string[]) =>
    wgsl`
      for (var vector = lane; vector < ${vectors}u; vector += ${lanes}u) {
        let row = vector / ${columns}u;
        let column = vector % ${columns}u;
        ${body}
      }
    `.trimEnd();
  // One invocation alone steps through rows and columns without dividing.
  const nest = (body: readonly string[], firstRow: string, endRow: string, first: string, end: string) =>
    wgsl`
      for (var row = ${firstRow}; row < ${endRow}; row++) {
        for (var column = ${first}; column < ${end}; column++) {
          ${body}
        }
      }
    `.trimEnd();
  const blockRows = Math.max(1, Math.floor(BLOCK / columns));
  return {
    lanes,
    workgroupSize: isAlone ? workgroup : lanes,
    workgroups: grid.workgroups,
    locate: wgsl`
      let index = ${isAlone ? `${grid.index} * ${workgroup}u + local` : grid.index};
      if (index >= ${groups}u) { return; }
      let lane = ${isAlone ? '0u' : 'local'};
    `.trimEnd(),
    each: (body) => (isAlone ? nest(body, '0u', `${rows}u`, '0u', `${columns}u`) : loop(body)),
    sums: (type, lines, terms) =>
      (isAlone
        ? wgsl`
            ${zeros(terms, type)}
            for (var blockRow = 0u; blockRow < ${rows}u; blockRow += ${blockRows}u) {
              let endRow = min(blockRow + ${blockRows}u, ${rows}u);
              for (var block = 0u; block < ${columns}u; block += ${BLOCK}u) {
                let end = min(block + ${BLOCK}u, ${columns}u);
                ${zeros(terms, type, 'block_')}
                ${nest([...lines, ...additions(terms, 'block_')], 'blockRow', 'endRow', 'block', 'end')}
                ${blockAdditions(terms)}
              }
            }
          `
        : wgsl`
            ${zeros(terms, type)}
            ${loop([...lines, ...additions(terms)])}
          `
      ).trimEnd(),
  };
}
