// GroupNorm and its gradient on every device against the reference.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { casesOn, deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

interface Sizes {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly silu: boolean;
}

const cases: fc.Arbitrary<Sizes & { seed: number; offset: number }> = fc
  .record({
    batch: size(1, 3),
    positions: size(1, 40),
    groups: size(1, 6),
    width: size(1, 9),
    silu: fc.boolean(),
    seed: seeds,
    offset: fc.constantFrom(0, 0, 1, 30),
  })
  .map(({ width, ...sizes }) => ({ ...sizes, channels: sizes.groups * width }));

const networkSizes: Sizes[] = [
  { batch: 2, positions: 1024, channels: 32, groups: 8, silu: true },
  { batch: 2, positions: 64, channels: 96, groups: 8, silu: true },
  { batch: 1, positions: 257, channels: 48, groups: 16, silu: false },
  { batch: 3, positions: 16, channels: 320, groups: 32, silu: true },
  { batch: 4, positions: 64, channels: 320, groups: 32, silu: true },
];

// One element more or less than what is taken together: positions of a chunk, columns of a workgroup.
const edgeSizes: Sizes[] = [
  { batch: 1, positions: 1, channels: 1, groups: 1, silu: true },
  { batch: 3, positions: 129, channels: 6, groups: 3, silu: true },
  { batch: 2, positions: 255, channels: 32, groups: 32, silu: false },
  { batch: 2, positions: 256, channels: 32, groups: 2, silu: true },
  { batch: 2, positions: 513, channels: 32, groups: 2, silu: true },
  { batch: 1, positions: 100, channels: 260, groups: 13, silu: true },
  { batch: 2, positions: 70, channels: 67, groups: 67, silu: false },
  { batch: 1, positions: 2000, channels: 12, groups: 2, silu: true },
];

const labels = [...deviceLabels, graphicsCard];

describe.each(labels)('groupNorm on %s', (label) => {
  const device = useDevice(label);

  it('agrees for odd sizes, with and without SiLU, near and far from zero mean', async () => {
    await forAll(cases, casesOn(label, 60), async ({ seed, offset, ...sizes }) => {
      const { kernel, inputs } = forward(sizes, seed, offset);
      await expectMatchesReference(device(), kernel, inputs);
    });
  });

  it.each(networkSizes)('agrees for $batch x $positions x $channels in $groups groups', async (sizes) => {
    const { kernel, inputs } = forward(sizes, 1);
    await expectMatchesReference(device(), kernel, inputs);
  });

  it.each(edgeSizes)('agrees for $batch x $positions x $channels in $groups groups', async (sizes) => {
    const { kernel, inputs } = forward(sizes, 2);
    await expectMatchesReference(device(), kernel, inputs);
  });

  it.each([networkSizes[0], edgeSizes[7]])('keeps a deviation of 1 around a mean of 1000', async (sizes) => {
    const { kernel, inputs } = forward(sizes, 1, 1000);
    await expectMatchesReference(device(), kernel, inputs);
  });

  it('normalises a group of equal elements to the shift', async () => {
    const sizes = { batch: 1, positions: 33, channels: 6, groups: 2, silu: false };
    const { kernel, inputs } = forward(sizes, 1);
    const [, scale, shift] = inputs;
    const [y] = await runKernel(device(), kernel, [new Float32Array(198).fill(1000.25), scale, shift]);
    expect(Array.from(y)).toEqual(Array.from(y, (_, i) => shift[i % 6]));
  });
});

describe.each(labels)('groupNormGrad on %s', (label) => {
  const device = useDevice(label);

  async function check(sizes: Sizes, seed: number, offset: number): Promise<void> {
    const { kernel, inputs } = forward(sizes, seed, offset);
    const [, mean, rstd] = await runKernel(reference, kernel, inputs);
    const gradient: Kernel = {
      kind: 'groupNormGrad',
      ...sizes,
      inputs: new Array(6).fill('float32'),
      scalars: [],
    };
    const dy = normals(seed + 3, inputs[0].length);
    await expectMatchesReference(
      device(),
      gradient,
      [dy, ...inputs, mean, rstd].map((data) => Float32Array.from(data)),
    );
  }

  it('agrees for odd sizes, with and without SiLU, near and far from zero mean', async () => {
    await forAll(cases, casesOn(label, 60), ({ seed, offset, ...sizes }) => check(sizes, seed, offset));
  });

  it.each(networkSizes)('agrees for $batch x $positions x $channels in $groups groups', async (sizes) => {
    await check(sizes, 1, 0);
  });

  it.each(edgeSizes)('agrees for $batch x $positions x $channels in $groups groups', async (sizes) => {
    await check(sizes, 2, 0);
  });

  it.each([networkSizes[0], edgeSizes[7]])('keeps a deviation of 1 around a mean of 1000', async (sizes) => {
    await check(sizes, 1, 1000);
  });
});

function forward(sizes: Sizes, seed: number, offset = 0) {
  const kernel: Kernel = {
    kind: 'groupNorm',
    ...sizes,
    epsilon: 1e-5,
    inputs: ['float32', 'float32', 'float32'],
    scalars: [],
  };
  const inputs = kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
  inputs[0] = inputs[0].map((value) => value + offset);
  return { kernel, inputs };
}
