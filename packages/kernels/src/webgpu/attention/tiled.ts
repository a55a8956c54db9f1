/**
 * A pass of FlashAttention for GPUs: tiles of columns are staged in workgroup memory, and one or several invocations hold a row.
 * Where several do, each has every so-many-th vector of the head dim, and they add their parts of a score in workgroup memory.
 */

import { withFunctions } from '../functions.js';
import { type Dispatch, linearGrid } from '../program.js';
import type { AdapterClass, Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import {
  type Block,
  columnCount,
  type FlashPass,
  passBuffers,
  range,
  rowCount,
  scaledLoad,
  sliceColumns,
} from './pass.js';
import { stagedTile } from './tiles.js';

type GpuClass = Exclude<AdapterClass, 'software'>;

/** Workgroups per batch and head of a pass with one slice. */
export function tiledBlocks(pass: FlashPass, adapterClass: GpuClass, target: Target): number {
  return Math.ceil(rowCount(pass) / tileOf(pass, adapterClass, target).rows);
}

export function tiledDispatch(pass: FlashPass, adapterClass: GpuClass, target: Target): Dispatch {
  const { batch, heads, headDim, queries } = pass.sizes;
  const [rows, columns, vectors] = [rowCount(pass), columnCount(pass), headDim / 4];
  const tile = tileOf(pass, adapterClass, target);
  const { threadsPerRow, vectorsPerThread, step } = tile;
  const threads = tile.rows * threadsPerRow;
  const stride = vectorsPerThread * threadsPerRow;
  const blocks = tiledBlocks(pass, adapterClass, target);
  const items = batch * heads;
  const groups = items * blocks * pass.slices;
  const grid = linearGrid(groups, target);
  const perSlice = sliceColumns(pass, tile.columns);
  const ragged = columns % tile.columns !== 0;
  const shared = threadsPerRow > 1;
  const queriesAreRows = pass.rows === 'queries';
  const own = range(vectorsPerThread);
  const steps = range(step);
  const scores = range(pass.held.length);

  /** WGSL: the place of this invocation's i-th vector within a token. */
  const place = (i: number) => (shared ? `${i * threadsPerRow}u + part` : `${i}u`);
  const isPadding = (i: number) => shared && (i + 1) * threadsPerRow > vectors;
  const staged = (name: string, column: number, i: number) =>
    `tile_${name}[(j + ${column}u) * STRIDE + ${place(i)}]`;

  const block: Block = {
    row: 0,
    columns: steps,
    score: (held, column) => `score${held}_${column}`,
    value: (name, column) => (queriesAreRows ? `${name}_0` : `tile_${name}[j + ${column}u]`),
    weight: (sum, column) => `weight${sum}_${column}`,
    exists: (column) => (ragged ? `(first + j + ${column}u < COLUMNS)` : undefined),
    rescale: (factor) => pass.sums.flatMap(({ name }) => own.map((i) => `sum_${name}_${i} *= ${factor};`)),
  };

  const load = [
    ...pass.held.flatMap((held) =>
      own.map((i) => {
        const vector = scaledLoad(held, `at + ${place(i)}`);
        return isPadding(i)
          ? `var row_${held.name}_${i} = vec4f(); if (${place(i)} < VECTORS) { row_${held.name}_${i} = ${vector}; }`
          : `let row_${held.name}_${i} = ${vector};`;
      }),
    ),
    ...pass.sums.flatMap(({ name }) => own.map((i) => `var sum_${name}_${i} = vec4f();`)),
    ...(queriesAreRows
      ? pass.perQuery.map((value) => `let ${value.name}_0 = ${scaledLoad(value, `item * ROWS + token`)};`)
      : []),
    ...pass.declare(0),
  ];
  const stage = [
    `for (var i = local; i < TILE * STRIDE; i += THREADS) {`,
    '  let column = first + i / STRIDE;',
    '  let d = i % STRIDE;',
    ...pass.streamed.map(({ name }) => `  var ${name}_vector = vec4f();`),
    `  if (column < COLUMNS${stride > vectors ? ' && d < VECTORS' : ''}) {`,
    '    let source = ((batch * COLUMNS + column) * HEADS + head) * VECTORS + d;',
    ...pass.streamed.map(({ name }) => `    ${name}_vector = load_${name}(source);`),
    '  }',
    ...pass.streamed.map(({ name }) => `  tile_${name}[i] = ${name}_vector;`),
    '}',
    ...(queriesAreRows || pass.perQuery.length === 0
      ? []
      : [
          'for (var i = local; i < TILE; i += THREADS) {',
          ...pass.perQuery.map(({ name }) => `  var ${name}_value = 0.0;`),
          '  if (first + i < COLUMNS) {',
          ...pass.perQuery.map(
            (value) => `    ${value.name}_value = ${scaledLoad(value, 'item * COLUMNS + first + i')};`,
          ),
          '  }',
          ...pass.perQuery.map(({ name }) => `  tile_${name}[i] = ${name}_value;`),
          '}',
        ]),
  ];

  /** The products of the row's vectors with those of `step` columns from j on, each in the four lanes of product{held}_{column}. */
  const products = scores.flatMap((held) => [
    ...steps.map((column) => `var product${held}_${column} = vec4f();`),
    ...own.flatMap((i) =>
      steps.map(
        (column) =>
          `product${held}_${column} = fma(row_${pass.held[held].name}_${i}, ${staged(pass.streamed[held].name, column, i)}, product${held}_${column});`,
      ),
    ),
  ]);
  const laneSum = (held: number, column: number) => `dot(product${held}_${column}, vec4f(1.0))`;
  const shareScores = [
    `for (var j = 0u; j < TILE; j += ${step}u) {`,
    ...indented(products),
    ...scores.flatMap((held) =>
      steps.map((column) => `  parts${held}[(j + ${column}u) * THREADS + local] = ${laneSum(held, column)};`),
    ),
    '}',
    'workgroupBarrier();',
  ];
  const gatherScores = scores.flatMap((held) =>
    steps.map((column) => {
      const parts = range(threadsPerRow).map(
        (part) => `parts${held}[(j + ${column}u) * THREADS + leader + ${part}u]`,
      );
      return `let score${held}_${column} = ${parts.join(' + ')};`;
    }),
  );
  const ownScores = [
    ...products,
    ...scores.flatMap((held) =>
      steps.map((column) => `let score${held}_${column} = ${laneSum(held, column)};`),
    ),
  ];
  const sums = pass.sums.flatMap(({ name, streamed }, sum) =>
    own.flatMap((i) =>
      steps.map(
        (column) =>
          `sum_${name}_${i} = fma(vec4f(weight${sum}_${column}), ${staged(streamed, column, i)}, sum_${name}_${i});`,
      ),
    ),
  );
  const store = pass.sums.flatMap(({ name, finish }) =>
    own.map((i) => {
      const statement = `store_${name}(slice * ${items * rows * vectors}u + at + ${place(i)}, ${finish(`sum_${name}_${i}`, 0)});`;
      return isPadding(i) ? `if (${place(i)} < VECTORS) { ${statement} }` : statement;
    }),
  );

  return {
    label: `${pass.label} ${tile.rows}x${tile.columns}${shared ? `/${threadsPerRow}` : ''}`,
    buffers: passBuffers(pass),
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      const HEADS = ${heads}u;
      const VECTORS = ${vectors}u;
      const ROWS = ${rows}u;
      const COLUMNS = ${columns}u;
      const THREADS = ${threads}u;
      const TILE = ${tile.columns}u;
      const STRIDE = ${stride}u;

      ${pass.streamed.map(({ name }) => `var<workgroup> tile_${name}: array<vec4f, ${tile.columns * stride}>;`)}
      ${queriesAreRows ? [] : pass.perQuery.map(({ name }) => `var<workgroup> tile_${name}: array<f32, ${tile.columns}>;`)}
      ${shared ? scores.map((held) => `var<workgroup> parts${held}: array<f32, ${tile.columns * threads}>;`) : []}

      @compute @workgroup_size(${threads})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let flat = ${grid.index};
        if (flat >= ${groups}u) { return; }
        let slice = flat / ${items * blocks}u;
        let item = flat / ${blocks}u % ${items}u;
        let head = item % HEADS;
        let batch = item / HEADS;
        let row = flat % ${blocks}u * ${tile.rows}u + local / ${threadsPerRow}u;
        ${shared ? [`let part = local % ${threadsPerRow}u;`, 'let leader = local - part;'] : []}

        // Load the rows. Past the end stands the last row again, which is not stored.
        let token = min(row, ROWS - 1u);
        let at = ((batch * ROWS + token) * HEADS + head) * VECTORS;
        ${load}

        let end = min((slice + 1u) * ${perSlice}u, COLUMNS);
        for (var first = slice * ${perSlice}u; first < end; first += TILE) {
          // Stage a tile of columns, zero past the end.
          workgroupBarrier();
          ${stage}
          workgroupBarrier();
          ${shared ? ['', '// Parts of the scores.', ...shareScores] : []}
          for (var j = 0u; j < min(TILE, end - first); j += ${step}u) {
            ${shared ? gatherScores : ownScores}

            ${pass.weigh([block])}

            ${sums}
          }
        }

        if (row < ROWS) {
          ${store}
          ${pass.results.map(({ name, value }) => `${shared ? 'if (part == 0u) ' : ''}{ store_${name}(item * ${queries}u + token, ${value(0)}); }`)}
        }
      }
    `),
  };
}

function tileOf(pass: FlashPass, adapterClass: GpuClass, target: Target) {
  const matrices = pass.held.length + pass.sums.length;
  return stagedTile(adapterClass, pass.sizes.headDim / 4, matrices, pass.held.length, target);
}

const indented = (lines: string[]): string[] => lines.map((line) => `  ${line}`);
