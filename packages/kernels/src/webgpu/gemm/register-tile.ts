/** GEMM without workgroup memory: each invocation computes one tile in registers and reads its operands straight from memory. */

import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';
import { innerWidth, type Operand, rowWidth } from './operand.js';
import { sumLoops } from './split.js';
import { storePartials, storeResult } from './store.js';
import { type RegisterTile, tileDepth } from './tiles.js';

export function registerTileDispatch(
  gemm: Gemm,
  tile: RegisterTile,
  splits: number,
  scratch: number,
  target: Target,
): Dispatch {
  const { a, b } = gemm;
  const depth = tileDepth(gemm, tile);
  const tileRows = Math.ceil(gemm.rows / tile.rows);
  const tileColumns = Math.ceil(gemm.columns / tile.columns);
  const count = tileRows * tileColumns * gemm.batch * splits;
  const grid = linearGrid(Math.ceil(count / tile.workgroup), target);
  const covered = { rows: tileRows * tile.rows, columns: tileColumns * tile.columns };
  const store = splits === 1 ? storeResult(gemm, covered) : storePartials(gemm, scratch, covered);
  const loops = sumLoops(gemm, tile, splits);
  const left = registerOperand(a, tile.rows, depth, 'first_row', gemm.rows);
  const right = registerOperand(b, tile.columns, depth, 'first_column', gemm.columns);
  const sums = range(tile.rows).flatMap((i) =>
    range(tile.columns / 4).map((j) => ({ i, j, name: `sum${i}_${j}` })),
  );
  const steps = range(depth).flatMap((k) => [
    ...left.loads(k),
    ...right.loads(k),
    ...sums.map(({ i, j, name }) => {
      const columns = range(4).map((c) => right.value(k, 4 * j + c));
      return `${name} += ${left.value(k, i)} * ${vector(columns)};`;
    }),
  ]);
  return {
    label: `${gemm.label} ${tile.rows}x${tile.columns}${splits === 1 ? '' : ` split ${splits}`}`,
    buffers: [...a.buffers, ...b.buffers, ...store.buffers],
    scalars: store.scalars,
    workgroups: grid.workgroups,
    code: wgsl`
      ${a.code}
      ${b.code}
      ${store.code}
      @compute @workgroup_size(${tile.workgroup})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let index = ${grid.index} * ${tile.workgroup}u + local;
        if (index >= ${count}u) { return; }
        let first_column = index % ${tileColumns}u * ${tile.columns}u;
        let first_row = index / ${tileColumns}u % ${tileRows}u * ${tile.rows}u;
        let batch = index / ${tileColumns * tileRows}u % ${gemm.batch}u;
        let split = index / ${tileColumns * tileRows * gemm.batch}u;
        ${left.rows}
        ${right.rows}
        ${sums.map(({ name }) => `var ${name} = vec4f();`)}

        ${loops.setup}
        ${loops.outer}
          ${left.bases}
          ${right.bases}
          ${loops.range}
          ${loops.slab}
            ${steps}
          }
        }

        ${sums.map(({ i, j, name }) => `store_sums(batch, split, first_row + ${i}u, first_column + ${4 * j}u, ${name});`)}
      }
    `,
  };
}

interface RegisterOperand {
  /** Before the loops: the state of every row. */
  readonly rows: readonly string[];
  /** At every outer step: where the rows begin. */
  readonly bases: readonly string[];
  /** The loads needed first at step k of a slab. */
  loads(k: number): string[];
  /** WGSL of the element of a row at step k. */
  value(k: number, row: number): string;
}

/** Names of everything an invocation holds of `count` rows of an operand from `first`, of which there are `total`. */
function registerOperand(
  operand: Operand,
  count: number,
  depth: number,
  first: string,
  total: number,
): RegisterOperand {
  const { name } = operand;
  const perLoad = rowWidth(operand);
  const stepsPerLoad = innerWidth(operand);
  const vectors = range(count / perLoad);
  const last = total - perLoad;
  return {
    rows: vectors.map(
      (i) => `let ${name}_state${i} = ${name}_row(batch, min(${first} + ${i * perLoad}u, ${last}u));`,
    ),
    bases: vectors.map((i) => `let ${name}_base${i} = ${name}_outer(${name}_state${i}, outer);`),
    loads: (k) => {
      if (k % stepsPerLoad !== 0) return [];
      const loadsPerSlab = depth / stepsPerLoad;
      const step = loadsPerSlab === 1 ? 'slab' : `slab * ${loadsPerSlab}u + ${k / stepsPerLoad}u`;
      return vectors.map((i) => `let ${name}${i}_${k} = ${name}_load(${name}_base${i}, ${step});`);
    },
    value: (k, row) => {
      const vector = `${name}${Math.floor(row / perLoad)}_${k - (k % stepsPerLoad)}`;
      if (operand.width === 1) return vector;
      return `${vector}.${'xyzw'[operand.along === 'row' ? row % 4 : k % 4]}`;
    },
  };
}

/** A vec4f of these; the vector itself if they are its components. */
function vector(components: readonly string[]): string {
  const [first] = components;
  const whole = first.slice(0, -2);
  const isWhole = first.endsWith('.x') && components.every((one, c) => one === `${whole}.${'xyzw'[c]}`);
  return isWhole ? whole : `vec4f(${components.join(', ')})`;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
