// Programs for the classes of adapters that a software GPU is not of: right there too. Each class is given kernels of every kind, in
// sizes around the edges of tiles, within WebGPU's default limits.
import { describe, it } from 'vitest';
import type { Device } from '../device.js';
import { openDevice } from '../index.js';
import type { Kernel } from '../kernel.js';
import { kernelTitle } from '../kernel-title.js';
import { expectMatchesReference } from '../testing/compare.js';
import { exampleInputs, exampleScalars } from '../testing/kernel-inputs.js';
import { oddKernels } from '../testing/model-kernels.js';

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
        await expectMatchesReference(device, kernel, await exampleInputs(kernel), exampleScalars(kernel));
      } catch (error) {
        throw new Error(kernelTitle(kernel), { cause: error });
      }
    }
    await device.close();
  }, 180_000);
});
