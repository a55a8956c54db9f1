/** A strided matrix in memory as an operand of a GEMM. */

import type { Place } from '../program.js';
import { wgsl } from '../wgsl.js';
import type { Operand } from './operand.js';

/** Sizes and strides in elements. One of the strides of row and inner is 1. */
export interface DenseMatrix {
  readonly rows: number;
  readonly inner: number;
  readonly rowStride: number;
  readonly innerStride: number;
  /** From one matrix of the batch to the next; 0 when one serves all. */
  readonly batchStride: number;
}

export function denseOperand(name: string, place: Place, matrix: DenseMatrix): Operand {
  const { rows, inner } = matrix;
  const along = matrix.innerStride === 1 ? 'inner' : 'row';
  const fits = (length: number, stride: number) =>
    [length, stride, matrix.batchStride].every((n) => n % 4 === 0);
  const isVector = along === 'inner' ? fits(inner, matrix.rowStride) : fits(rows, matrix.innerStride);
  const width = isVector ? 4 : 1;
  const code = wgsl`
    fn ${name}_row(batch: u32, row: u32) -> u32 {
      return (batch * ${matrix.batchStride}u + row * ${matrix.rowStride}u) / ${width}u;
    }

    fn ${name}_outer(state: u32, outer: u32) -> u32 {
      return state;
    }

    fn ${name}_load(base: u32, step: u32) -> ${isVector ? 'vec4f' : 'f32'} {
      return load_${name}(base + step * ${along === 'inner' ? 1 : matrix.innerStride / width}u);
    }
  `;
  return { name, along, width, code, buffers: [{ name, place, dtype: 'float32', width, access: 'read' }] };
}
