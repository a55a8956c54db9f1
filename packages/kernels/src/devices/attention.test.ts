// Attention and its gradient on every device against the reference.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostArray } from '../dtype.js';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { casesOn, deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
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

/** Around the tiles of the devices: head dims that are and are not vectors, one row or column less and more, several slices of queries. */
const edgeSizes: Sizes[] = [
  { batch: 2, heads: 2, queries: 1, keys: 1, headDim: 4, scale: 0.5 },
  { batch: 1, heads: 2, queries: 65, keys: 3, headDim: 8, scale: 0.35 },
  { batch: 2, heads: 1, queries: 63, keys: 17, headDim: 20, scale: 0.22 },
  { batch: 1, heads: 1, queries: 15, keys: 65, headDim: 32, scale: 0.18 },
  { batch: 2, heads: 2, queries: 7, keys: 5, headDim: 6, scale: -0.4 },
  { batch: 1, heads: 1, queries: 530, keys: 5, headDim: 8, scale: 0.35 },
];

/** Where a row takes several invocations of a GPU, up to the largest head dim of the flash kernels and beyond. */
const wideSizes: Sizes[] = [
  { batch: 1, heads: 1, queries: 3, keys: 15, headDim: 160, scale: 0.08 },
  { batch: 1, heads: 2, queries: 5, keys: 9, headDim: 256, scale: 0.0625 },
  { batch: 1, heads: 1, queries: 3, keys: 5, headDim: 260, scale: 0.06 },
];

/** A software GPU compiles the widest programs of a graphics card for many seconds: one of them stands for all. */
const sizesOn = (label: string): Sizes[] =>
  label === graphicsCard
    ? [...edgeSizes, { batch: 1, heads: 1, queries: 5, keys: 19, headDim: 72, scale: 0.12 }]
    : [...networkSizes, ...edgeSizes, ...wideSizes];

const labels = [...deviceLabels, graphicsCard];

describe.each(labels)('attention on %s', (label) => {
  const device = useDevice(label);

  it('agrees for odd sizes', async () => {
    await forAll(cases, casesOn(label, 50), async ({ seed, ...sizes }) => {
      const { kernel, inputs } = forward(sizes, seed);
      await expectMatchesReference(device(), kernel, inputs);
    });
  });

  it.each(sizesOn(label))(
    'agrees for $queries queries, $keys keys, head dimension $headDim',
    async (sizes) => {
      const { kernel, inputs } = forward(sizes, 1);
      await expectMatchesReference(device(), kernel, inputs);
    },
  );

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

describe.each(labels)('attentionGrad on %s', (label) => {
  const device = useDevice(label);

  async function check(sizes: Sizes, seed: number): Promise<HostArray[]> {
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
    return expectMatchesReference(device(), gradient, data);
  }

  it('agrees for odd sizes', async () => {
    await forAll(cases, casesOn(label, 50), async ({ seed, ...sizes }) => {
      await check(sizes, seed);
    });
  });

  it.each(sizesOn(label))(
    'agrees for $queries queries, $keys keys, head dimension $headDim',
    async (sizes) => {
      await check(sizes, 1);
    },
  );

  it('stays finite for scores of hundreds', async () => {
    const gradients = await check({ batch: 1, heads: 1, queries: 5, keys: 40, headDim: 8, scale: 100 }, 7);
    for (const gradient of gradients) expect(Array.from(gradient).every(Number.isFinite)).toBe(true);
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
