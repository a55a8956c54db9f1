// Matrix products on every device against the reference.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { casesOn, deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
import { type EpilogueName, epilogueCase } from '../testing/epilogues.js';
import { anyEpilogue, forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';

interface Case {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly batchedA: boolean;
  readonly batchedB: boolean;
  readonly epilogue: EpilogueName;
  readonly seed: number;
}

const cases = (largest: number): fc.Arbitrary<Case> =>
  fc.record({
    batch: size(1, 3),
    m: size(1, largest),
    n: size(1, largest),
    k: size(1, largest),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    batchedA: fc.boolean(),
    batchedB: fc.boolean(),
    epilogue: anyEpilogue,
    seed: seeds,
  });

describe.each([...deviceLabels, graphicsCard])('matmul on %s', (label) => {
  const device = useDevice(label);

  async function check({ epilogue, seed, ...sizes }: Case): Promise<void> {
    const extra = epilogueCase(epilogue, [sizes.batch, sizes.m, sizes.n], seed);
    const kernel: Kernel = { kind: 'matmul', ...sizes, ...extra.kernel };
    const [a, b] = kernelInputElements(kernel);
    const inputs = [normals(seed + 2, a), normals(seed + 3, b), ...extra.inputs];
    await expectMatchesReference(device(), kernel, inputs, extra.scalars);
  }

  it('agrees for small sizes, transposes, broadcast batches and epilogues', async () => {
    await forAll(cases(11), casesOn(label, 60), check);
  });

  it('agrees across the edges of tiles', async () => {
    await forAll(cases(70), casesOn(label, 25), check);
  });

  it.each([
    [1, 1, 129],
    [129, 1, 1],
    [1, 129, 300],
    [64, 64, 513],
    [33, 257, 40],
    [5, 200, 640],
    [200, 3, 77],
  ])('agrees for %i x %i x %i', async (m, n, k) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        await check({
          batch: 1,
          m,
          n,
          k,
          transposeA,
          transposeB,
          batchedA: true,
          batchedB: true,
          epilogue: 'residual',
          seed: 1,
        });
      }
    }
  });
});
