/** GEMM without workgroup memory: each invocation computes one tile in registers and reads its operands straight from memory. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { innerWidth, type Operand, rowWidth } from './operand.js';
import { sumLoops } from './split.js';
import { storePartials, storeResult } from './store.js';
import { LANES, type RegisterTile } from './tiles.js';

/** Steps of inner between two visits of the sums: those that a vector along inner has. */
export const REGISTER_DEPTH = 4;

/** Invocations of a workgroup: fewer where there would be few workgroups, because each runs on one thread. */
const workgroupSize = (invocations: number): number => (invocations < 256 ? 4 : 16);

export function registerTileDispatch(
  gemm: Gemm,
  tile: RegisterTile,
  splits: number,
  scratch: number,
  target: Target,
): Dispatch {
  const { a, b, inner } = gemm;
  const lanesOfA = tile.shared === 'a' ? LANES : 1;
  const lanesOfB = tile.shared === 'b' ? LANES : 1;
  const lanes = lanesOfA * lanesOfB;
  // Tiles of invocations that share an operand lie side by side: blocks of them divide the result.
  const blockRows = tile.rows * lanesOfB;
  const blockColumns = tile.columns * lanesOfA;
  const gridRows = Math.ceil(gemm.rows / blockRows);
  const gridColumns = Math.ceil(gemm.columns / blockColumns);
  const blocks = gridRows * gridColumns * gemm.batch;
  const workgroup = workgroupSize(blocks * lanes);
  const blocksPerWorkgroup = workgroup / lanes;
  const grid = linearGrid(Math.ceil(blocks / blocksPerWorkgroup), target);
  const [x, y] = grid.workgroups;
  const covered = { rows: gridRows * blockRows, columns: gridColumns * blockColumns };
  const store = splits === 1 ? storeResult(gemm, covered) : storePartials(gemm, scratch, covered);

  const left = registerOperand(a, tile.rows, lanesOfA, 'first_row', gemm.rows);
  const right = registerOperand(b, tile.columns, lanesOfB, 'first_column', gemm.columns);
  const rows = range(tile.rows);
  const columns = range(tile.columns);
  const sum = (i: number, j: number) => `sum${i}_${j}`;
  /** Adds the products of so many steps. Those of one element stand together: few registers live at a time. */
  const products = (steps: number, at: StepText): string[] => [
    ...left.loads(steps, at),
    ...right.loads(steps, at),
    ...rows.flatMap((i) =>
      columns.map((j) => {
        const terms = range(steps).map((k) => `${left.value(k, i)} * ${right.value(k, j)}`);
        return `${sum(i, j)} += ${terms.join(' + ')};`;
      }),
    ),
  ];
  const loops = sumLoops(gemm, REGISTER_DEPTH, splits);
  const wholeSlabs = wgsl`
    for (var slab = ${loops.begin}; slab < ${loops.wholeEnd}; slab++) {
      ${products(REGISTER_DEPTH, (k, width) => (width === 4 ? 'slab' : `slab * ${REGISTER_DEPTH}u + ${k}u`))}
    }
  `;
  const shortSlab = wgsl`
    if (${loops.hasShort}) {
      for (var step = ${inner - (inner % REGISTER_DEPTH)}u; step < ${inner}u; step++) {
        ${products(1, () => 'step')}
      }
    }
  `;
  const vectors = rows.flatMap((i) =>
    range(tile.columns / 4).map(
      (v) =>
        `vec4f(${range(4)
          .map((c) => sum(i, 4 * v + c))
          .join(', ')})`,
    ),
  );
  const perRow = tile.columns / 4;
  return {
    label: `${gemm.label} ${tile.name}${splits === 1 ? '' : ` split ${splits}`}`,
    buffers: [...a.buffers, ...b.buffers, ...store.buffers],
    scalars: store.scalars,
    subgroups: lanes > 1,
    workgroups: [x, y, splits],
    code: wgsl`
      ${a.code}
      ${b.code}
      ${store.code}
      @compute @workgroup_size(${workgroup})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${lanes === 1 ? '' : `let lane = local % ${lanes}u;`}
        let block = ${grid.index} * ${blocksPerWorkgroup}u + local / ${lanes}u;
        let block_column = block % ${gridColumns}u * ${blockColumns}u;
        let block_row = block / ${gridColumns}u % ${gridRows}u * ${blockRows}u;
        let first_column = block_column${lanesOfA === 1 ? '' : ` + lane * ${tile.columns}u`};
        let first_row = block_row${lanesOfB === 1 ? '' : ` + lane * ${tile.rows}u`};
        // Blocks beyond the last compute with the others, because subgroups must stay together, and store nothing.
        let batch = min(block / ${gridColumns * gridRows}u, ${gemm.batch - 1}u);
        let split = group.z;
        ${left.rows}
        ${right.rows}
        ${rows.map((i) => columns.map((j) => `var ${sum(i, j)} = 0.0;`).join(' '))}

        ${loops.setup}
        ${loops.outer}
          ${left.bases}
          ${right.bases}
          ${loops.range}
          ${inner >= REGISTER_DEPTH ? wholeSlabs : ''}
          ${inner % REGISTER_DEPTH > 0 ? shortSlab : ''}
        }

        if (block >= ${blocks}u) { return; }
        // A loop, because the epilogue may be long.
        var sums = array<vec4f, ${vectors.length}>(
          ${vectors.join(',\n')},
        );
        for (var i = 0u; i < ${vectors.length}u; i++) {
          store_sums(batch, split, first_row + i / ${perRow}u, first_column + i % ${perRow}u * 4u, sums[i]);
        }
      }
    `,
  };
}

/** WGSL of the number of the load that brings step k of a slab, where a load brings so many steps. */
type StepText = (k: number, stepsPerLoad: 1 | 4) => string;

interface RegisterOperand {
  /** Before the loops: the state of every row that is loaded. */
  readonly rows: readonly string[];
  /** At every outer step: where the rows begin. */
  readonly bases: readonly string[];
  /** All loads of a slab of so many steps. */
  loads(steps: number, at: StepText): string[];
  /** WGSL of the element of a row at step k. */
  value(k: number, row: number): string;
}

/** `count` rows of an operand from `first`, of which there are `total`; the loads are shared by so many lanes. */
function registerOperand(
  operand: Operand,
  count: number,
  lanes: number,
  first: string,
  total: number,
): RegisterOperand {
  const { name } = operand;
  const rowsPerLoad = rowWidth(operand);
  const stepsPerLoad = innerWidth(operand);
  const own = range(count / (rowsPerLoad * lanes));
  const last = total - rowsPerLoad;
  const offset = (i: number) =>
    `${i * rowsPerLoad * lanes}u${lanes === 1 ? '' : ` + lane * ${rowsPerLoad}u`}`;
  return {
    rows: own.map(
      (i) => `let ${name}_state${i} = ${name}_row(batch, min(${first} + ${offset(i)}, ${last}u));`,
    ),
    bases: own.map((i) => `let ${name}_base${i} = ${name}_outer(${name}_state${i}, outer);`),
    loads: (steps, at) => {
      const moments = range(steps).filter((k) => k % stepsPerLoad === 0);
      const loaded = moments.flatMap((k) =>
        own.map((i) => {
          const load = `${name}_load(${name}_base${i}, ${at(k, stepsPerLoad)})`;
          return lanes === 1 ? `let ${name}${i}_${k} = ${load};` : `let ${name}_own${i}_${k} = ${load};`;
        }),
      );
      if (lanes === 1) return loaded;
      const broadcast = moments.flatMap((k) =>
        range(own.length * lanes).map((i) => {
          const lane = i % lanes;
          return `let ${name}${i}_${k} = subgroupBroadcast(${name}_own${(i - lane) / lanes}_${k}, ${lane}u);`;
        }),
      );
      return [...loaded, ...broadcast];
    },
    value: (k, row) => {
      const vector = `${name}${Math.floor(row / rowsPerLoad)}_${k - (k % stepsPerLoad)}`;
      if (operand.width === 1) return vector;
      return `${vector}.${'xyzw'[operand.along === 'row' ? row % 4 : k % 4]}`;
    },
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
