// The gradient kernels of the specification against central differences of its forward kernels, in float64.
import { describe, expect, it } from 'vitest';
import type { HostArray } from '../dtype.js';
import { type Conv2dGeometry, type Kernel, kernelInputElements, kernelOutputs } from '../kernel.js';
import { dot } from '../testing/dot.js';
import { forAll, geometries } from '../testing/properties.js';
import { integers, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { ReferenceDevice } from './reference-device.js';

const device = new ReferenceDevice({ poison: true });
const floats = (count: number) => new Array<'float32'>(count).fill('float32');
const STEP = 1e-4;

/** f(inputs) = <first output of the kernel, weights>. */
async function objective(
  kernel: Kernel,
  inputs: ArrayLike<number>[],
  weights: ArrayLike<number>,
): Promise<number> {
  const [y] = await runKernel(device, kernel, inputs);
  return dot(y, weights);
}

/** For each of the first `gradients.length` inputs, compares the slope of the objective in random directions with its gradient. */
async function expectGradients(
  forward: Kernel,
  inputs: ArrayLike<number>[],
  weights: ArrayLike<number>,
  gradients: (HostArray | undefined)[],
): Promise<void> {
  for (const [input, gradient] of gradients.entries()) {
    if (gradient === undefined) continue;
    for (const seed of [100, 200]) {
      const direction = normals(seed + input, gradient.length);
      const moved = (step: number) =>
        inputs.map((data, i) => (i === input ? Array.from(data, (x, j) => x + step * direction[j]) : data));
      const above = await objective(forward, moved(STEP), weights);
      const below = await objective(forward, moved(-STEP), weights);
      const slope = (above - below) / (2 * STEP);
      // Central differences are wrong by step^2 times the third derivative.
      const tolerance = 100 * STEP ** 2 * (1 + Math.sqrt(dot(gradient, gradient)));
      expect(Math.abs(dot(gradient, direction) - slope), `input ${input}: slope ${slope}`).toBeLessThan(
        tolerance,
      );
    }
  }
}

function dataFor(kernel: Kernel, seed: number): Float32Array[] {
  return kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
}

describe('gradients of the reference device', () => {
  it('conv2dInputGrad and conv2dFilterGrad', async () => {
    await forAll(geometries, 25, async (geometry: Conv2dGeometry) => {
      const forward: Kernel = { kind: 'conv2d', geometry, inputs: floats(2), scalars: [] };
      const [x, w] = dataFor(forward, 1);
      const dy = normals(3, kernelOutputs(forward)[0].elements);
      const kernel = { geometry, inputs: floats(2), scalars: [] };
      const [dx] = await runKernel(device, { kind: 'conv2dInputGrad', ...kernel }, [dy, w]);
      const [dw] = await runKernel(device, { kind: 'conv2dFilterGrad', ...kernel }, [x, dy]);
      await expectGradients(forward, [x, w], dy, [dx, dw]);
    });
  });

  it.each([false, true])('groupNormGrad, SiLU %s', async (silu) => {
    const sizes = { batch: 2, positions: 5, channels: 6, groups: 3, silu };
    const forward: Kernel = { kind: 'groupNorm', ...sizes, epsilon: 1e-3, inputs: floats(3), scalars: [] };
    const inputs = dataFor(forward, 1);
    const [y, mean, rstd] = await runKernel(device, forward, inputs);
    const dy = normals(9, y.length);
    const backward: Kernel = { kind: 'groupNormGrad', ...sizes, inputs: floats(6), scalars: [] };
    await expectGradients(
      forward,
      inputs,
      dy,
      await runKernel(device, backward, [dy, ...inputs, mean, rstd]),
    );
  });

  it('layerNormGrad', async () => {
    const sizes = { rows: 4, channels: 7 };
    const forward: Kernel = { kind: 'layerNorm', ...sizes, epsilon: 1e-3, inputs: floats(3), scalars: [] };
    const inputs = dataFor(forward, 1);
    const [y, mean, rstd] = await runKernel(device, forward, inputs);
    const dy = normals(9, y.length);
    const backward: Kernel = { kind: 'layerNormGrad', ...sizes, inputs: floats(5), scalars: [] };
    const [x, scale] = inputs;
    await expectGradients(forward, inputs, dy, await runKernel(device, backward, [dy, x, scale, mean, rstd]));
  });

  it('attentionGrad', async () => {
    const sizes = { batch: 2, heads: 2, queries: 5, keys: 7, headDim: 3, scale: 0.6 };
    const forward: Kernel = { kind: 'attention', ...sizes, inputs: floats(3), scalars: [] };
    const inputs = dataFor(forward, 1);
    const [o, logSumExp] = await runKernel(device, forward, inputs);
    const outputGrad = normals(9, o.length);
    const backward: Kernel = { kind: 'attentionGrad', ...sizes, inputs: floats(6), scalars: [] };
    const gradients = await runKernel(device, backward, [outputGrad, ...inputs, o, logSumExp]);
    await expectGradients(forward, inputs, outputGrad, gradients);
  });

  it('gatherGrad', async () => {
    const sizes = { rows: 5, columns: 3, count: 9 };
    const forward: Kernel = { kind: 'gather', ...sizes, inputs: ['float32', 'int32'], scalars: [] };
    const inputs = [normals(1, 15), integers(2, 9, 0, 5)];
    const dy = normals(3, 27);
    const backward: Kernel = { kind: 'gatherGrad', ...sizes, inputs: ['float32', 'int32'], scalars: [] };
    const [dTable] = await runKernel(device, backward, [dy, inputs[1]]);
    await expectGradients(forward, inputs, dy, [dTable]);
  });
});
