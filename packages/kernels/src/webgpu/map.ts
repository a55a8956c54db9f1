/** Pointwise maps: one invocation per element. */

import { kernelOutputs, type MapKernel } from '../kernel.js';
import { elementCount } from '../view.js';
import { expressionBuffers } from './epilogue.js';
import { expressionLines } from './expression.js';
import type { InPlace } from './kernels.js';
import { type BufferUse, linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { wgsl } from './wgsl.js';

const WORKGROUP = 64;

export function mapProgram(kernel: MapKernel, target: Target, inPlace: InPlace): Program {
  const { shape, expression } = kernel;
  const elements = elementCount(shape);
  const grid = linearGrid(Math.ceil(elements / WORKGROUP), target);
  const shared = new Map(inPlace.map(([input, output]) => [output, input]));
  const inputs = expressionBuffers(kernel.inputs, expression.instructions);
  const names = expression.results.map((_, result) =>
    shared.has(result) ? `e${shared.get(result)}` : `out${result}`,
  );
  const outputs = kernelOutputs(kernel).flatMap(({ dtype }, result): BufferUse[] =>
    shared.has(result)
      ? []
      : [{ name: names[result], place: { output: result }, dtype, width: 1, access: 'write' }],
  );
  const updated = inputs.map(
    (buffer): BufferUse => (names.includes(buffer.name) ? { ...buffer, access: 'update' } : buffer),
  );
  return {
    scratch: [],
    dispatches: [
      {
        label: 'map',
        buffers: [...updated, ...outputs],
        scalars: kernel.scalars,
        workgroups: grid.workgroups,
        code: wgsl`
          @compute @workgroup_size(${WORKGROUP})
          fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
            let flat = ${grid.index} * ${WORKGROUP}u + local;
            if (flat >= ${elements}u) { return; }
            ${expressionLines(expression, expression.results, shape)}
            ${expression.results.map((position, result) => `store_${names[result]}(flat, v${position});`)}
          }
        `,
      },
    ],
  };
}
