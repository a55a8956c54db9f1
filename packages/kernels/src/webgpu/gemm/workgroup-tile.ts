/** GEMM through workgroup memory: a workgroup stages slabs of both operands, and each invocation owns a micro-tile in registers. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { innerWidth, type Operand, rowWidth } from './operand.js';
import { sumLoops } from './split.js';
import { storePartials, storeResult } from './store.js';
import { slabStride, type WorkgroupTile } from './tiles.js';

/** Steps of inner in a slab: the tile's, or as few as there are. */
export function slabDepth({ inner }: Gemm, tile: WorkgroupTile): number {
  return Math.min(tile.depth, Math.max(4, Math.ceil(inner / 4) * 4));
}

export function workgroupTileDispatch(
  gemm: Gemm,
  tile: WorkgroupTile,
  splits: number,
  scratch: number,
  target: Target,
): Dispatch {
  const { a, b } = gemm;
  const depth = slabDepth(gemm, tile);
  const invocationColumns = tile.columns / tile.microColumns;
  const invocationRows = tile.rows / tile.microRows;
  const invocations = invocationColumns * invocationRows;
  const tileRows = Math.ceil(gemm.rows / tile.rows);
  const tileColumns = Math.ceil(gemm.columns / tile.columns);
  const count = tileRows * tileColumns * gemm.batch;
  const grid = linearGrid(count, target);
  const [x, y] = grid.workgroups;
  const covered = { rows: tileRows * tile.rows, columns: tileColumns * tile.columns };
  const store = splits === 1 ? storeResult(gemm, covered) : storePartials(gemm, scratch, covered);
  const loops = sumLoops(gemm, depth, splits);
  const stageA = stagedOperand(a, tile.rows, depth, gemm.inner, invocations, 'first_row', gemm.rows);
  const stageB = stagedOperand(b, tile.columns, depth, gemm.inner, invocations, 'first_column', gemm.columns);
  const rowOf = (i: number) => microOffset(i, invocationRows);
  const columnOf = (j: number) => microOffset(j, invocationColumns);
  const sums = range(tile.microRows).flatMap((i) =>
    range(tile.microColumns / 4).map((j) => ({ i, j, name: `sum${i}_${j}` })),
  );
  return {
    label: `${gemm.label} ${tile.name}${splits === 1 ? '' : ` split ${splits}`}`,
    buffers: [...a.buffers, ...b.buffers, ...store.buffers],
    scalars: store.scalars,
    workgroups: [x, y, splits],
    code: wgsl`
      ${a.code}
      ${b.code}
      ${store.code}
      var<workgroup> ${a.name}_slab: array<f32, ${depth * stageA.stride}>;
      var<workgroup> ${b.name}_slab: array<f32, ${depth * stageB.stride}>;

      @compute @workgroup_size(${invocations})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let index = ${grid.index};
        ${x * y > count ? `if (index >= ${count}u) { return; }` : ''}
        let first_column = index % ${tileColumns}u * ${tile.columns}u;
        let first_row = index / ${tileColumns}u % ${tileRows}u * ${tile.rows}u;
        let batch = index / ${tileColumns * tileRows}u;
        let split = group.z;
        let micro_column = local % ${invocationColumns}u * 4u;
        let micro_row = local / ${invocationColumns}u * 4u;
        ${stageA.rows}
        ${stageB.rows}
        ${sums.map(({ name }) => `var ${name} = vec4f();`)}

        ${loops.setup}
        ${loops.outer}
          ${stageA.bases}
          ${stageB.bases}
          ${loops.range}
          for (var slab = ${loops.begin}; slab < ${loops.end}; slab++) {
            // Load: each invocation moves its share of both slabs to workgroup memory.
            ${stageA.loads}
            ${stageB.loads}
            ${stageA.stores}
            ${stageB.stores}
            workgroupBarrier();

            // Compute: the outer product of a row of either slab, for each step.
            for (var k = 0u; k < ${depth}u; k++) {
              let a_at = k * ${stageA.stride}u + micro_row;
              let b_at = k * ${stageB.stride}u + micro_column;
              ${range(tile.microColumns / 4).map((j) => {
                const at = range(4).map((c) => `${b.name}_slab[b_at + ${columnOf(4 * j + c)}u]`);
                return `let b${j} = vec4f(${at.join(', ')});`;
              })}
              ${range(tile.microRows).map((i) => `let a${i} = ${a.name}_slab[a_at + ${rowOf(i)}u];`)}
              ${sums.map(({ i, j, name }) => `${name} = fma(vec4f(a${i}), b${j}, ${name});`)}
            }
            workgroupBarrier();
          }
        }

        // Epilogue
        ${sums.map(
          ({ i, j, name }) =>
            `store_sums(batch, split, first_row + micro_row + ${rowOf(i)}u, first_column + micro_column + ${columnOf(4 * j)}u, ${name});`,
        )}
      }
    `,
  };
}

/** Micro-tiles come in pieces of four rows or columns that lie as far apart as the workgroup has invocations for. */
function microOffset(i: number, invocations: number): number {
  return Math.floor(i / 4) * invocations * 4 + (i % 4);
}

interface StagedOperand {
  /** Floats from one step of the slab to the next. */
  readonly stride: number;
  readonly rows: readonly string[];
  readonly bases: readonly string[];
  readonly loads: readonly string[];
  readonly stores: readonly string[];
}

/** How the invocations of a workgroup share the loads of a slab of `rows` x `depth`, neighbours loading what lies side by side. */
function stagedOperand(
  operand: Operand,
  rows: number,
  depth: number,
  inner: number,
  invocations: number,
  first: string,
  total: number,
): StagedOperand {
  const { name, along, width } = operand;
  const perRow = rowWidth(operand);
  const perStep = innerWidth(operand);
  const rowLoads = rows / perRow;
  const stepLoads = depth / perStep;
  const loads = rowLoads * stepLoads;
  const stride = slabStride(rows);
  const shares = range(Math.ceil(loads / invocations)).map((share) => {
    const index = share === 0 ? 'local' : `(local + ${share * invocations}u)`;
    const [rowLoad, stepLoad] =
      along === 'inner'
        ? [`${index} / ${stepLoads}u`, `${index} % ${stepLoads}u`]
        : [`${index} % ${rowLoads}u`, `${index} / ${rowLoads}u`];
    // The last share may be some invocations' only.
    const isThere = (share + 1) * invocations <= loads ? [] : [`${index} < ${loads}u`];
    return { share, isThere, rowLoad, stepLoad };
  });
  return {
    stride,
    rows: shares.flatMap(({ share, rowLoad, stepLoad }) => [
      `let ${name}_row${share} = ${rowLoad}${perRow === 1 ? '' : ` * ${perRow}u`};`,
      `let ${name}_step${share} = ${stepLoad};`,
      `let ${name}_to${share} = ${name}_step${share} * ${perStep * stride}u + ${name}_row${share};`,
      `let ${name}_state${share} = ${name}_row(batch, min(${first} + ${name}_row${share}, ${total - perRow}u));`,
    ]),
    bases: shares.map(
      ({ share }) => `let ${name}_base${share} = ${name}_outer(${name}_state${share}, outer);`,
    ),
    loads: shares.flatMap(({ share, isThere }) => {
      const step = `slab * ${stepLoads}u + ${name}_step${share}`;
      const value = `${name}_load(${name}_base${share}, ${step})`;
      const conditions = [...isThere, ...(inner % depth === 0 ? [] : [`${step} < ${inner / perStep}u`])];
      if (conditions.length === 0) return [`let ${name}_loaded${share} = ${value};`];
      return [
        `var ${name}_loaded${share} = ${width === 4 ? 'vec4f()' : '0.0'};`,
        `if (${conditions.join(' && ')}) { ${name}_loaded${share} = ${value}; }`,
      ];
    }),
    stores: shares.flatMap(({ share, isThere }) => {
      const stores = range(width).map((c) => {
        const offset = c === 0 ? '' : ` + ${c * (along === 'inner' ? stride : 1)}u`;
        const value = `${name}_loaded${share}${width === 1 ? '' : `[${c}]`}`;
        return `${name}_slab[${name}_to${share}${offset}] = ${value};`;
      });
      return isThere.length === 0
        ? stores
        : [`if (${isThere.join()}) {`, ...stores.map((line) => `  ${line}`), '}'];
    }),
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
