/** What a matmul or convolution does to each result before it is stored. */

import type { DType } from '../dtype.js';
import type { Epilogue } from '../kernel.js';
import { expressionLines } from './expression.js';
import type { BufferUse } from './program.js';
import { scalarType, wgsl } from './wgsl.js';

export interface EpilogueCode {
  /** Declares `epilogue(flat: u32, accumulator: f32)`: the value to store at element `flat` of the output. */
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
      fn epilogue(flat: u32, accumulator: f32) -> f32 {
        return accumulator;
      }
    `;
    return { code, buffers: [], scalars: [], dtype: 'float32' };
  }
  const { expression, shape } = kernel.epilogue;
  const [result] = expression.results;
  const { dtype } = expression.instructions[result];
  const code = wgsl`
    fn epilogue(flat: u32, accumulator: f32) -> ${scalarType[dtype]} {
      ${expressionLines(expression, [result], shape)}
      return v${result};
    }
  `;
  const buffers = expressionBuffers(kernel.inputs, expression.instructions);
  return { code, buffers, scalars: kernel.scalars, dtype };
}

/** The buffers `e<n>` of the inputs that an expression loads. */
export function expressionBuffers(
  inputs: readonly DType[],
  instructions: Epilogue['expression']['instructions'],
): BufferUse[] {
  const loaded = new Set(instructions.flatMap((one) => (one.op === 'load' ? [one.input] : [])));
  return [...loaded]
    .sort((left, right) => left - right)
    .map((input) => ({
      name: `e${input}`,
      place: { input },
      dtype: inputs[input],
      width: 1,
      access: 'read',
    }));
}
