/** The last phase of a GEMM's shader: four neighbouring sums go through the epilogue to the output, or to the partial sums. */

import type { DType } from '../../dtype.js';
import type { BufferUse } from '../program.js';
import { wgsl } from '../wgsl.js';
import type { Gemm } from './gemm.js';

/** What a shader that stores results needs beside its own code. */
export interface StoreCode {
  readonly buffers: readonly BufferUse[];
  readonly scalars: readonly DType[];
  /** Declares `store_sums(batch, split, row, column, sums)`; `column` is a multiple of 4. Rows and columns beyond the last are dropped. */
  readonly code: string;
}

/** Elements of a vector store: four neighbours of a row are aligned if the rows are. */
export const storeWidth = (gemm: Gemm): 1 | 4 => (gemm.columns % 4 === 0 ? 4 : 1);

/** Stores complete sums: epilogue, then output. `rows` and `columns` are those that the tiles cover. */
export function storeResult(gemm: Gemm, covered: Covered): StoreCode {
  const { columns, epilogue, output } = gemm;
  const width = storeWidth(gemm);
  const result: BufferUse = {
    name: 'result',
    place: output,
    dtype: epilogue.dtype,
    width,
    access: 'write',
  };
  const store =
    width === 4
      ? 'store_result(flat / 4u, epilogue4(flat, sums));'
      : each((c) => `store_result(flat + ${c}u, epilogue(flat + ${c}u, sums[${c}]));`, columns);
  const code = wgsl`
    ${epilogue.code}
    ${outputRow(gemm)}
    fn store_sums(batch: u32, split: u32, row: u32, column: u32, sums: vec4f) {
      ${leaveBeyond(gemm, covered)}
      let flat = output_row(batch, row) + column;
      ${store}
    }
  `;
  return { code, buffers: [...epilogue.buffers, result], scalars: epilogue.scalars };
}

/** Stores the sums of one split, [splits, batch, rows, columns]. */
export function storePartials(gemm: Gemm, scratch: number, covered: Covered): StoreCode {
  const { batch, rows, columns } = gemm;
  const width = storeWidth(gemm);
  const store =
    width === 4
      ? 'store_partials(flat / 4u, sums);'
      : each((c) => `store_partials(flat + ${c}u, sums[${c}]);`, columns);
  const code = wgsl`
    fn store_sums(batch: u32, split: u32, row: u32, column: u32, sums: vec4f) {
      ${leaveBeyond(gemm, covered)}
      let flat = ((split * ${batch}u + batch) * ${rows}u + row) * ${columns}u + column;
      ${store}
    }
  `;
  return {
    code,
    buffers: [{ name: 'partials', place: { scratch }, dtype: 'float32', width, access: 'write' }],
    scalars: [],
  };
}

export interface Covered {
  readonly rows: number;
  readonly columns: number;
}

function leaveBeyond(gemm: Gemm, covered: Covered): string[] {
  const beyond = [
    ...(covered.rows > gemm.rows ? [`row >= ${gemm.rows}u`] : []),
    ...(covered.columns > gemm.columns ? [`column >= ${gemm.columns}u`] : []),
  ];
  return beyond.length === 0 ? [] : [`if (${beyond.join(' || ')}) { return; }`];
}

function outputRow({ rows, columns, outputRow }: Gemm): string {
  if (outputRow !== undefined) return outputRow;
  return wgsl`
    fn output_row(batch: u32, row: u32) -> u32 {
      return (batch * ${rows}u + row) * ${columns}u;
    }
  `;
}

/** The statement for each of four neighbours that is there. */
function each(statement: (c: number) => string, columns: number): string[] {
  return [0, 1, 2, 3].map((c) => `if (column + ${c}u < ${columns}u) { ${statement(c)} }`);
}
