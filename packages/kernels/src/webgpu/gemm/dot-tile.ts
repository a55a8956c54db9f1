/** GEMM of few rows, as of a vector with a matrix: a workgroup shares the sums of a few columns, which are read once and in order. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { sumLoops } from './split.js';
import { storePartials, storeResult } from './store.js';
import type { DotTile } from './tiles.js';

/** Both operands must come in vectors along inner, and the rows must not be more than the tile's. */
export function dotTileDispatch(
  gemm: Gemm,
  tile: DotTile,
  splits: number,
  scratch: number,
  target: Target,
): Dispatch {
  const { a, b } = gemm;
  const { invocations, columns } = tile;
  const steps = gemm.inner / 4;
  const gridColumns = Math.ceil(gemm.columns / columns);
  const count = gridColumns * gemm.batch;
  const grid = linearGrid(count, target);
  const [x, y] = grid.workgroups;
  const covered = { rows: gemm.rows, columns: gridColumns * columns };
  const store = splits === 1 ? storeResult(gemm, covered) : storePartials(gemm, scratch, covered);
  const loops = sumLoops(gemm, tile.depth, splits);
  const rows = range(gemm.rows);
  return {
    label: `${gemm.label} ${tile.name}${splits === 1 ? '' : ` split ${splits}`}`,
    buffers: [...a.buffers, ...b.buffers, ...store.buffers],
    scalars: store.scalars,
    workgroups: [x, y, splits],
    code: wgsl`
      ${a.code}
      ${b.code}
      ${store.code}
      var<workgroup> shares: array<vec4f, ${gemm.rows * invocations}>;

      @compute @workgroup_size(${invocations})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let index = ${grid.index};
        ${x * y > count ? `if (index >= ${count}u) { return; }` : ''}
        let first_column = index % ${gridColumns}u * ${columns}u;
        let batch = index / ${gridColumns}u;
        let split = group.z;
        ${rows.map((i) => `let a_state${i} = ${a.name}_row(batch, ${i}u);`)}
        ${range(columns).map((j) => `let b_state${j} = ${b.name}_row(batch, min(first_column + ${j}u, ${gemm.columns - 1}u));`)}
        ${rows.map((i) => `var sum${i} = vec4f();`)}

        // Each invocation sums every ${invocations}th vector.
        ${loops.setup}
        ${loops.outer}
          ${rows.map((i) => `let a_base${i} = ${a.name}_outer(a_state${i}, outer);`)}
          ${range(columns).map((j) => `let b_base${j} = ${b.name}_outer(b_state${j}, outer);`)}
          ${loops.range}
          for (var slab = ${loops.begin}; slab < ${loops.end}; slab++) {
            let step = slab * ${invocations}u + local;
            if (step < ${steps}u) {
              ${range(columns).map((j) => `let b${j} = ${b.name}_load(b_base${j}, step);`)}
              ${rows.flatMap((i) => [
                `let a${i} = ${a.name}_load(a_base${i}, step);`,
                `sum${i} += vec4f(${range(columns).map((j) => `dot(a${i}, b${j})`)});`,
              ])}
            }
          }
        }

        // The sums of all invocations, pair by pair.
        ${rows.map((i) => `shares[${i * invocations}u + local] = sum${i};`)}
        for (var half = ${invocations / 2}u; half > 0u; half /= 2u) {
          workgroupBarrier();
          if (local < half) {
            ${rows.map((i) => `shares[${i * invocations}u + local] += shares[${i * invocations}u + local + half];`)}
          }
        }
        workgroupBarrier();

        // Epilogue: an invocation per row.
        if (local < ${gemm.rows}u) {
          store_sums(batch, split, local, first_column, shares[local * ${invocations}u]);
        }
      }
    `,
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
