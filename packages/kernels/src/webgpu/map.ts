/** Pointwise maps: one invocation per element, or per four elements where every input can be read as vectors. */

import { kernelOutputs, type MapKernel } from '../kernel.js';
import { elementCount } from '../view.js';
import { expressionBuffers } from './epilogue.js';
import { expressionText, loadsVectors, vectorInputs } from './expression.js';
import { withFunctions } from './functions.js';
import type { InPlace } from './kernels.js';
import { type BufferUse, linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { type Width, wgsl } from './wgsl.js';

const WORKGROUP = 64;

export function mapProgram(kernel: MapKernel, target: Target, inPlace: InPlace): Program {
  const { shape, expression } = kernel;
  const elements = elementCount(shape);
  const width: Width = elements % 4 === 0 && loadsVectors(expression, { shape }) ? 4 : 1;
  const vectors = width === 4 ? vectorInputs(expression, { shape }) : new Set<number>();
  const positions = elements / width;
  const grid = linearGrid(Math.ceil(positions / WORKGROUP), target);

  const shared = new Map(inPlace.map(([input, output]) => [output, input]));
  const names = expression.results.map((_, result) =>
    shared.has(result) ? `e${shared.get(result)}` : `out${result}`,
  );
  const inputs = expressionBuffers(kernel.inputs, expression, vectors).map(
    (buffer): BufferUse => (names.includes(buffer.name) ? { ...buffer, access: 'update' } : buffer),
  );
  const outputs = kernelOutputs(kernel).flatMap(({ dtype }, result): BufferUse[] =>
    shared.has(result)
      ? []
      : [{ name: names[result], place: { output: result }, dtype, width, access: 'write' }],
  );
  const { lines, values } = expressionText(expression, expression.results, { shape, width, vectors });
  return {
    scratch: [],
    dispatches: [
      {
        label: 'map',
        buffers: [...inputs, ...outputs],
        scalars: kernel.scalars,
        workgroups: grid.workgroups,
        code: withFunctions(wgsl`
          @compute @workgroup_size(${WORKGROUP})
          fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
            let position = ${grid.index} * ${WORKGROUP}u + local;
            if (position >= ${positions}u) { return; }
            let flat = position * ${width}u;
            ${lines}
            ${values.map((value, result) => `store_${names[result]}(position, ${value});`)}
          }
        `),
      },
    ],
  };
}
