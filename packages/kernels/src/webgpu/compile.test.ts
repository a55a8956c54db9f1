// Every shader for every class of adapter compiles, within WebGPU's default limits. Dawn's null backend compiles and computes nothing,
// so that shaders are seen too which no adapter of this machine would be given.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../kernel.js';
import { kernelTitle } from '../kernel-title.js';
import { oddKernels, smallKernels, stableDiffusionKernels } from '../testing/model-kernels.js';
import { nullGpuDevice } from '../testing/null-gpu.js';
import { nodeGpu } from './host/gpu.node.js';
import { kernelProgram } from './kernels.js';
import { openWebGpuDevice } from './open-webgpu.js';
import type { Program } from './program.js';
import { type AdapterClass, defaultLimits } from './target.js';

const adapterClasses: readonly AdapterClass[] = ['discrete', 'apple', 'integrated', 'software'];

let gpu: GPUDevice;

beforeAll(async () => {
  gpu = await nullGpuDevice();
});

afterAll(() => {
  gpu.destroy();
});

describe.each(adapterClasses)('for adapters of the class %s', (adapterClass) => {
  it.each([
    ['Stable Diffusion', stableDiffusionKernels()],
    ['a small UNet', smallKernels()],
    ['odd sizes', oddKernels()],
  ])('compiles the shaders of %s', async (_, kernels) => {
    const device = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu, adapterClass });
    const problems: string[] = [];
    const prepare = async (kernel: Kernel) => {
      try {
        const program = kernelProgram(kernel, { adapterClass, ...defaultLimits }, []);
        problems.push(...beyondLimits(program).map((problem) => `${kernelTitle(kernel)}: ${problem}`));
        await device.prepare([kernel]);
      } catch (error) {
        problems.push(`${kernelTitle(kernel)}: ${error instanceof Error ? error.message : error}`);
      }
    };
    await Promise.all(kernels.map(prepare));
    expect(problems).toEqual([]);
    expect(device.statistics().pipelines).toBeGreaterThan(kernels.length / 2);
    await device.close();
  });
});

/** What only a dispatch would show. */
function beyondLimits({ dispatches, scratch }: Program): string[] {
  const { workgroupsPerDimension, storageBuffers } = defaultLimits;
  return dispatches.flatMap(({ label, workgroups, buffers }) => [
    ...(workgroups.some((count) => count > workgroupsPerDimension || !Number.isInteger(count))
      ? [`${label} has ${workgroups.join(' x ')} workgroups`]
      : []),
    ...(buffers.length > storageBuffers ? [`${label} has ${buffers.length} buffers`] : []),
    ...buffers.flatMap(({ place }) =>
      'scratch' in place && scratch[place.scratch] === undefined
        ? [`${label} has no scratch ${place.scratch}`]
        : [],
    ),
  ]);
}
