// Programs for the classes of adapters that a software GPU is not of: right there too. Each class is given kernels of every kind, in
// sizes around the edges of tiles, within WebGPU's default limits.
import { describe, it } from 'vitest';
import type { Device } from '../device.js';
import { openDevice } from '../index.js';
import { type AttentionGradKernel, type Kernel, kernelInputElements } from '../kernel.js';
import { kernelTitle } from '../kernel-title.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { oddKernels } from '../testing/model-kernels.js';
import { integers, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

const adapterClasses = ['discrete', 'apple', 'integrated'] as const;

/** Two kernels of each kind; each class is given others, so that together they see more of them. */
function kernelsFor(adapterClass: (typeof adapterClasses)[number]): Kernel[] {
  const all = oddKernels();
  const first = 7 * adapterClasses.indexOf(adapterClass);
  return [...new Set(all.map(({ kind }) => kind))].flatMap((kind) => {
    const kernels = all.filter((kernel) => kernel.kind === kind);
    return [...new Set([first, first + 3].map((place) => kernels[place % kernels.length]))];
  });
}

describe.each(adapterClasses)('programs for adapters of the class %s', (adapterClass) => {
  it('agree with the reference', async () => {
    const device: Device = await openDevice('webgpu', { adapterClass, defaultLimits: true, poison: true });
    for (const kernel of kernelsFor(adapterClass)) {
      try {
        const scalars = kernel.scalars.map((_, slot) => 0.5 + slot / 4);
        await expectMatchesReference(device, kernel, await inputsOf(kernel), scalars);
      } catch (error) {
        throw new Error(kernelTitle(kernel), { cause: error });
      }
    }
    await device.close();
  }, 180_000);
});

async function inputsOf(kernel: Kernel): Promise<ArrayLike<number>[]> {
  const inputs = kernelInputElements(kernel).map((elements, input) =>
    kernel.inputs[input] === 'int32'
      ? integers(input, elements, -1, 4)
      : // The optimiser's second moment, and what stands for a deviation, are positive.
        normals(input, elements).map((value) => (input >= 3 ? Math.abs(value) : value)),
  );
  return kernel.kind === 'attentionGrad' ? withForward(kernel, inputs) : inputs;
}

/** The gradient's last inputs are what the forward pass gave. */
async function withForward(kernel: AttentionGradKernel, inputs: ArrayLike<number>[]) {
  const [gradient, query, key, value] = inputs;
  const forward: Kernel = { ...kernel, kind: 'attention', inputs: ['float32', 'float32', 'float32'] };
  const [output, logSumExp] = await runKernel(reference, forward, [query, key, value]);
  return [gradient, query, key, value, output, logSumExp];
}
