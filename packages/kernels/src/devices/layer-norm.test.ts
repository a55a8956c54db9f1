// LayerNorm and its gradient on every device against the reference.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { casesOn, deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

const cases = fc.record({
  rows: size(1, 20),
  channels: size(1, 70),
  seed: seeds,
  offset: fc.constantFrom(0, 0, 2, 30),
});
const networkSizes = [
  { rows: 154, channels: 320 },
  { rows: 33, channels: 129 },
  { rows: 300, channels: 8 },
  { rows: 1, channels: 1 },
  { rows: 5, channels: 1283 },
  { rows: 2000, channels: 4 },
  { rows: 65, channels: 132 },
];

const labels = [...deviceLabels, graphicsCard];

describe.each(labels)('layerNorm on %s', (label) => {
  const device = useDevice(label);

  it('agrees for odd sizes, near and far from zero mean', async () => {
    await forAll(cases, casesOn(label, 60), async ({ rows, channels, seed, offset }) => {
      const { kernel, inputs } = forward(rows, channels, seed, offset);
      await expectMatchesReference(device(), kernel, inputs);
    });
  });

  it.each(networkSizes)('agrees for $rows x $channels', async ({ rows, channels }) => {
    const { kernel, inputs } = forward(rows, channels, 1);
    await expectMatchesReference(device(), kernel, inputs);
  });

  it('keeps a deviation of 1 around a mean of 1000', async () => {
    const { kernel, inputs } = forward(20, 320, 1, 1000);
    await expectMatchesReference(device(), kernel, inputs);
  });
});

describe.each(labels)('layerNormGrad on %s', (label) => {
  const device = useDevice(label);

  async function check(rows: number, channels: number, seed: number, offset: number): Promise<void> {
    const { kernel, inputs } = forward(rows, channels, seed, offset);
    const [, mean, rstd] = await runKernel(reference, kernel, inputs);
    const [x, scale] = inputs;
    const gradient: Kernel = {
      kind: 'layerNormGrad',
      rows,
      channels,
      inputs: new Array(5).fill('float32'),
      scalars: [],
    };
    const dy = normals(seed + 3, x.length);
    await expectMatchesReference(device(), gradient, [
      dy,
      x,
      scale,
      Float32Array.from(mean),
      Float32Array.from(rstd),
    ]);
  }

  it('agrees for odd sizes, near and far from zero mean', async () => {
    await forAll(cases, casesOn(label, 60), ({ rows, channels, seed, offset }) =>
      check(rows, channels, seed, offset),
    );
  });

  it.each(networkSizes)('agrees for $rows x $channels', async ({ rows, channels }) => {
    await check(rows, channels, 1, 0);
  });

  it('keeps a deviation of 1 around a mean of 1000', async () => {
    await check(20, 320, 1, 1000);
  });
});

function forward(rows: number, channels: number, seed: number, offset = 0) {
  const kernel: Kernel = {
    kind: 'layerNorm',
    rows,
    channels,
    epsilon: 1e-5,
    inputs: ['float32', 'float32', 'float32'],
    scalars: [],
  };
  const inputs = kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
  inputs[0] = inputs[0].map((value) => value + offset);
  return { kernel, inputs };
}
