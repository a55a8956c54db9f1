/** Numbers for any kernel, on which it computes what it would in a model. */

import { type AttentionGradKernel, type Kernel, kernelInputElements } from '../kernel.js';
import { reference } from './compare.js';
import { integers, normals } from './random-data.js';
import { runKernel } from './run-kernel.js';

export async function exampleInputs(kernel: Kernel): Promise<ArrayLike<number>[]> {
  const inputs = kernelInputElements(kernel).map((elements, input) =>
    kernel.inputs[input] === 'int32'
      ? integers(input, elements, -1, 4)
      : // The optimiser's second moment, and what stands for a deviation, are positive.
        normals(input, elements).map((value) => (input >= 3 ? Math.abs(value) : value)),
  );
  return kernel.kind === 'attentionGrad' ? withForward(kernel, inputs) : inputs;
}

export function exampleScalars(kernel: Kernel): number[] {
  return kernel.scalars.map((dtype, slot) => (dtype === 'float32' ? 0.5 + slot / 4 : 7 + slot));
}

/** The gradient's last inputs are what the forward pass gave. */
async function withForward(kernel: AttentionGradKernel, inputs: ArrayLike<number>[]) {
  const [gradient, query, key, value] = inputs;
  const forward: Kernel = { ...kernel, kind: 'attention', inputs: kernel.inputs.slice(1, 4) };
  const [output, logSumExp] = await runKernel(reference, forward, [query, key, value]);
  return [gradient, query, key, value, output, logSumExp];
}
