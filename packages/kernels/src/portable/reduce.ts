/** Reductions: the text of a function that loops over the reduced axes and evaluates the expression inside. */

import type { DType } from '../dtype.js';
import type { ReduceKernel } from '../kernel.js';
import { elementCount } from '../view.js';
import { coordinateLines, expressionLines, wrapped } from './expression.js';
import { expressionParameters } from './map.js';
import type { PortableProgram } from './types.js';

export function reduceProgram(kernel: ReduceKernel): PortableProgram {
  const { shape, axes, expression, reduction } = kernel;
  const [position] = expression.results;
  const { dtype } = expression.instructions[position];
  const parameters = expressionParameters(kernel);
  const coordinates = shape.map((_, d) => `i${d}`);
  const kept = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const keptShape = kept.map((d) => shape[d]);
  const reduced = elementCount(axes.map((d) => shape[d]));

  const value = `v${position}`;
  const next = reduction === 'max' ? `Math.max(total, ${value})` : wrapped(`total + ${value}`, dtype);
  const body = [
    `function reduce(${parameters.names.join(', ')}) {`,
    ...coordinateLines(
      keptShape,
      kept.map((d) => coordinates[d]),
    ),
    `let total = ${reduction === 'max' ? lowest(dtype) : 0};`,
    ...axes.map((d) => `for (let i${d} = 0; i${d} < ${shape[d]}; i${d}++) {`),
    ...expressionLines(expression, position, { shape, coordinates }),
    `total = ${next};`,
    ...axes.map(() => '}'),
    reduction === 'mean' ? `return total / ${reduced};` : 'return total;',
    '}',
  ].join('\n');
  return {
    passes: [{ body, constants: {}, arguments: parameters.arguments, elements: elementCount(keptShape) }],
    outputs: [0],
  };
}

/** The maximum of nothing. */
function lowest(dtype: DType): string {
  if (dtype === 'float32') return '-Infinity';
  return dtype === 'int32' ? '-2147483648' : '0';
}
