// Attention and its gradient on every device against the reference.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly scale: number;
}

const cases: fc.Arbitrary<Sizes & { seed: number }> = fc.record({
  batch: size(1, 3),
  heads: size(1, 3),
  queries: size(1, 37),
  keys: size(1, 37),
  headDim: size(1, 21),
  scale: fc.constantFrom(0.25, 1, 0.125, 3),
  seed: seeds,
});

const networkSizes: Sizes[] = [
  { batch: 2, heads: 3, queries: 64, keys: 64, headDim: 16, scale: 0.25 },
  { batch: 1, heads: 2, queries: 130, keys: 77, headDim: 40, scale: 0.158 },
  { batch: 1, heads: 1, queries: 65, keys: 129, headDim: 64, scale: 0.125 },
  { batch: 1, heads: 1, queries: 9, keys: 300, headDim: 80, scale: 0.11 },
];

describe.each(deviceLabels)('attention on %s', (label) => {
  const device = useDevice(label);

  it('agrees for odd sizes', async () => {
    await forAll(cases, 50, async ({ seed, ...sizes }) => {
      const { kernel, inputs } = forward(sizes, seed);
      await expectMatchesReference(device(), kernel, inputs);
    });
  });

  it.each(networkSizes)('agrees for $queries queries, $keys keys, head dimension $headDim', async (sizes) => {
    const { kernel, inputs } = forward(sizes, 1);
    await expectMatchesReference(device(), kernel, inputs);
  });

  it('neither overflows nor underflows for scores of hundreds', async () => {
    const sizes = { batch: 1, heads: 1, queries: 5, keys: 40, headDim: 8, scale: 100 };
    for (const shift of [0, 3, -3]) {
      const { kernel, inputs } = forward(sizes, 7);
      inputs[1] = inputs[1].map((value) => value + shift);
      const [o] = await expectMatchesReference(device(), kernel, inputs);
      expect(Array.from(o).every(Number.isFinite)).toBe(true);
    }
  });
});

describe.each(deviceLabels)('attentionGrad on %s', (label) => {
  const device = useDevice(label);

  async function check(sizes: Sizes, seed: number): Promise<void> {
    const { kernel, inputs } = forward(sizes, seed);
    const [o, logSumExp] = await runKernel(reference, kernel, inputs);
    const gradient: Kernel = {
      kind: 'attentionGrad',
      ...sizes,
      inputs: new Array(6).fill('float32'),
      scalars: [],
    };
    const outputGrad = normals(seed + 3, o.length);
    const data = [outputGrad, ...inputs, Float32Array.from(o), Float32Array.from(logSumExp)];
    await expectMatchesReference(device(), gradient, data);
  }

  it('agrees for odd sizes', async () => {
    await forAll(cases, 50, ({ seed, ...sizes }) => check(sizes, seed));
  });

  it.each(networkSizes)('agrees for $queries queries, $keys keys, head dimension $headDim', async (sizes) => {
    await check(sizes, 1);
  });
});

function forward(sizes: Sizes, seed: number) {
  const kernel: Kernel = {
    kind: 'attention',
    ...sizes,
    inputs: ['float32', 'float32', 'float32'],
    scalars: [],
  };
  const inputs = kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
  return { kernel, inputs };
}
