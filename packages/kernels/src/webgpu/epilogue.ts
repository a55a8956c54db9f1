/** What a matmul or convolution does to each result before it is stored. */

import type { DType } from '../dtype.js';
import type { Epilogue } from '../kernel.js';
import { elementCount } from '../view.js';
import { expressionBuffers, expressionText, loadedInputs, vectorInputs } from './expression.js';
import { withFunctions } from './functions.js';
import type { BufferUse } from './program.js';
import { scalarType, wgsl, wgslType } from './wgsl.js';

export interface EpilogueCode {
  /**
   * Declares `epilogue(flat: u32, accumulator: f32)`, the value to store at element `flat` of the output; and, for an output whose
   * elements are a multiple of four, `epilogue4(flat: u32, accumulator: vec4f)`, the values at four elements from `flat` on, which is a
   * multiple of four. The latter reads biases and residuals as vectors where their memory allows it.
   */
  readonly code: string;
  /** What the epilogue reads, to be added to the dispatch's buffers and scalars. */
  readonly buffers: readonly BufferUse[];
  readonly scalars: readonly DType[];
  readonly dtype: DType;
}

/** The epilogue of a kernel; without one, the result itself. */
export function epilogueCode(kernel: {
  readonly inputs: readonly DType[];
  readonly scalars: readonly DType[];
  readonly epilogue?: Epilogue;
}): EpilogueCode {
  if (kernel.epilogue === undefined) {
    const code = wgsl`
      fn epilogue(flat: u32, accumulator: f32) -> f32 { return accumulator; }
      fn epilogue4(flat: u32, accumulator: vec4f) -> vec4f { return accumulator; }
    `;
    return { code, buffers: [], scalars: [], dtype: 'float32' };
  }
  const { expression, shape } = kernel.epilogue;
  const [result] = expression.results;
  const { dtype } = expression.instructions[result];
  const isFours = elementCount(shape) % 4 === 0;
  const vectors = isFours ? vectorInputs(expression, { shape }) : new Set<number>();
  const one = expressionText(expression, [result], { shape, width: 1, vectors });
  const functions = [
    wgsl`
      fn epilogue(flat: u32, accumulator: f32) -> ${scalarType[dtype]} {
        ${one.lines}
        return ${one.values};
      }
    `,
  ];
  if (isFours) {
    const four = expressionText(expression, [result], { shape, width: 4, vectors });
    functions.push(wgsl`
      fn epilogue4(flat: u32, accumulator: vec4f) -> ${wgslType(dtype, 4)} {
        ${four.lines}
        return ${four.values};
      }
    `);
  }
  const buffers = expressionBuffers(kernel.inputs, loadedInputs(expression, [result]), vectors);
  return { code: withFunctions(functions.join('\n')), buffers, scalars: kernel.scalars, dtype };
}
