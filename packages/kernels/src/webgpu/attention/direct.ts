/**
 * A pass of FlashAttention for software adapters: an invocation holds several rows and reads every column from storage.
 * Workgroup memory and barriers would be a cost without a gain there. A load costs as much as several multiply-adds, so rows share it.
 */

import { withFunctions } from '../functions.js';
import { type Dispatch, linearGrid } from '../program.js';
import type { Target } from '../target.js';
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
import { directTile } from './tiles.js';

/** Workgroups per batch and head of a pass with one slice. */
export function directBlocks(pass: FlashPass): number {
  const { rows, invocations } = tileOf(pass);
  return Math.ceil(rowCount(pass) / (rows * invocations));
}

export function directDispatch(pass: FlashPass, target: Target): Dispatch {
  const { batch, heads, headDim, queries } = pass.sizes;
  const [rows, columns, vectors] = [rowCount(pass), columnCount(pass), headDim / 4];
  const tile = tileOf(pass);
  const blocks = directBlocks(pass);
  const items = batch * heads;
  const groups = items * blocks * pass.slices;
  const grid = linearGrid(groups, target);
  const perSlice = sliceColumns(pass, tile.columns);
  const rowsOfBlock = range(tile.rows);
  const columnsOfBlock = range(tile.columns);
  const queriesAreRows = pass.rows === 'queries';
  const register = (row: number, d: string) => `${row * vectors}u + ${d}`;

  const overVectors = (body: (d: string) => string[]): string[] =>
    tile.unrolled
      ? range(vectors).flatMap((d) => ['{', ...indented(body(`${d}u`)), '}'])
      : ['for (var d = 0u; d < VECTORS; d++) {', ...indented(body('d')), '}'];

  const block = (row: number): Block => ({
    row,
    columns: columnsOfBlock,
    score: (held, column) => `score${held}_${row}_${column}`,
    value: (name, column) => `${name}_${queriesAreRows ? row : column}`,
    weight: (sum, column) => `weight${sum}_${row}_${column}`,
    exists: (column) => (columns % tile.columns === 0 ? undefined : `(first + ${column}u < COLUMNS)`),
    rescale: (factor) => [
      'for (var d = 0u; d < VECTORS; d++) {',
      ...pass.sums.map(({ name }) => `  sum_${name}[${register(row, 'd')}] *= ${factor};`),
      '}',
    ],
  });

  const loadColumns = (name: string, d: string): string[] =>
    columnsOfBlock.map((column) => `let x${column} = load_${name}(column${column} + ${d});`);

  const load = rowsOfBlock.flatMap((row) => [
    `let row${row} = min(row + ${row}u, ROWS - 1u);`,
    `let at${row} = ((batch * ROWS + row${row}) * HEADS + head) * VECTORS;`,
    'for (var d = 0u; d < VECTORS; d++) {',
    ...pass.held.map(
      (held) => `  row_${held.name}[${register(row, 'd')}] = ${scaledLoad(held, `at${row} + d`)};`,
    ),
    '}',
    ...(queriesAreRows
      ? pass.perQuery.map(
          (value) => `let ${value.name}_${row} = ${scaledLoad(value, `item * ${queries}u + row${row}`)};`,
        )
      : []),
    ...pass.declare(row),
  ]);
  const locate = columnsOfBlock.flatMap((column) => [
    `let token${column} = min(first + ${column}u, COLUMNS - 1u);`,
    `let column${column} = ((batch * COLUMNS + token${column}) * HEADS + head) * VECTORS;`,
    ...(queriesAreRows
      ? []
      : pass.perQuery.map(
          (value) => `let ${value.name}_${column} = ${scaledLoad(value, `item * COLUMNS + token${column}`)};`,
        )),
  ]);
  const scores = pass.held.flatMap(({ name }, held) => [
    ...rowsOfBlock.flatMap((row) =>
      columnsOfBlock.map((column) => `var score${held}_${row}_${column} = 0.0;`),
    ),
    ...overVectors((d) => [
      ...loadColumns(pass.streamed[held].name, d),
      ...rowsOfBlock.flatMap((row) => [
        `let y${row} = row_${name}[${register(row, d)}];`,
        ...columnsOfBlock.map((column) => `score${held}_${row}_${column} += dot(y${row}, x${column});`),
      ]),
    ]),
  ]);
  const sums = pass.sums.flatMap(({ name, streamed }, sum) =>
    overVectors((d) => [
      ...loadColumns(streamed, d),
      ...rowsOfBlock.map((row) => {
        const terms = columnsOfBlock.map((column) => `weight${sum}_${row}_${column} * x${column}`);
        return `sum_${name}[${register(row, d)}] += ${terms.join(' + ')};`;
      }),
    ]),
  );
  const store = rowsOfBlock.flatMap((row) => [
    `if (row + ${row}u < ROWS) {`,
    '  for (var d = 0u; d < VECTORS; d++) {',
    ...pass.sums.map(
      ({ name, finish }) =>
        `    store_${name}(slice * ${items * rows * vectors}u + at${row} + d, ${finish(`sum_${name}[${register(row, 'd')}]`, row)});`,
    ),
    '  }',
    ...pass.results.map(
      ({ name, value }) => `  store_${name}(item * ${queries}u + row${row}, ${value(row)});`,
    ),
    '}',
  ]);

  return {
    label: `${pass.label} ${tile.rows} rows`,
    buffers: passBuffers(pass),
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      const HEADS = ${heads}u;
      const VECTORS = ${vectors}u;
      const ROWS = ${rows}u;
      const COLUMNS = ${columns}u;

      @compute @workgroup_size(${tile.invocations})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let flat = ${grid.index};
        if (flat >= ${groups}u) { return; }
        let slice = flat / ${items * blocks}u;
        let item = flat / ${blocks}u % ${items}u;
        let head = item % HEADS;
        let batch = item / HEADS;
        let row = (flat % ${blocks}u * ${tile.invocations}u + local) * ${tile.rows}u;

        // Load the rows. Past the end stands the last row again, which is not stored.
        ${pass.held.map(({ name }) => `var row_${name}: array<vec4f, ${tile.rows * vectors}>;`)}
        ${pass.sums.map(({ name }) => `var sum_${name}: array<vec4f, ${tile.rows * vectors}>;`)}
        ${load}

        let end = min((slice + 1u) * ${perSlice}u, COLUMNS);
        for (var first = slice * ${perSlice}u; first < end; first += ${tile.columns}u) {
          // Past the end stands the last column again, with no weight.
          ${locate}

          ${scores}

          ${pass.weigh(rowsOfBlock.map(block))}

          ${sums}
        }

        ${store}
      }
    `),
  };
}

const tileOf = (pass: FlashPass) => directTile(pass.sizes.headDim / 4, rowCount(pass), columnCount(pass));

const indented = (lines: string[]): string[] => lines.map((line) => `  ${line}`);
