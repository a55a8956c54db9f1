/** Pointwise maps: the text of one function per result of the expression. Epilogues are maps that read an accumulator. */

import type { Epilogue, MapKernel } from '../kernel.js';
import { elementCount } from '../view.js';
import { coordinateLines, expressionLines } from './expression.js';
import type { PassArgument, PortablePass, PortableProgram } from './types.js';

export function mapProgram(kernel: MapKernel): PortableProgram {
  return {
    passes: kernel.expression.results.map((_, result) => mapPass(kernel, kernel, result)),
    outputs: kernel.expression.results.map((_, result) => result),
  };
}

/** The one pass of a matmul or convolution, followed by its epilogue if it has one. */
export function withEpilogue(
  pass: PortablePass,
  kernel: { readonly inputs: readonly unknown[]; readonly scalars: readonly unknown[]; epilogue?: Epilogue },
): PortableProgram {
  if (kernel.epilogue === undefined) return { passes: [pass], outputs: [0] };
  return { passes: [pass, mapPass(kernel.epilogue, kernel, 0, { pass: 0 })], outputs: [1] };
}

/** Parameters of generated text: every input, the scalars if there are any, and the accumulator in an epilogue. */
export function expressionParameters(
  kernel: { readonly inputs: readonly unknown[]; readonly scalars: readonly unknown[] },
  accumulator?: PassArgument,
): { names: string[]; arguments: PassArgument[] } {
  const names = kernel.inputs.map((_, input) => `input${input}`);
  const passArguments: PassArgument[] = kernel.inputs.map((_, input) => ({ input }));
  if (kernel.scalars.length > 0) {
    names.push('scalars');
    passArguments.push('scalars');
  }
  if (accumulator !== undefined) {
    names.push('accumulator');
    passArguments.push(accumulator);
  }
  return { names, arguments: passArguments };
}

function mapPass(
  { shape, expression }: Epilogue,
  kernel: { readonly inputs: readonly unknown[]; readonly scalars: readonly unknown[] },
  result: number,
  accumulator?: PassArgument,
): PortablePass {
  const parameters = expressionParameters(kernel, accumulator);
  const coordinates = shape.map((_, d) => `i${d}`);
  const position = expression.results[result];
  const body = [
    `function map(${parameters.names.join(', ')}) {`,
    ...coordinateLines(shape, coordinates),
    ...expressionLines(expression, position, { shape, coordinates, flat: 'this.thread.x' }),
    `return v${position};`,
    '}',
  ].join('\n');
  return { body, constants: {}, arguments: parameters.arguments, elements: elementCount(shape) };
}
