// Softmax on every device against the reference.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

describe.each(deviceLabels)('softmax on %s', (label) => {
  const device = useDevice(label);

  it('agrees for odd sizes, near and far from zero', async () => {
    const cases = fc.record({
      rows: size(1, 20),
      columns: size(1, 90),
      seed: seeds,
      offset: fc.constantFrom(0, 100, -200),
      width: fc.constantFrom(1, 10),
    });
    await forAll(cases, 60, async ({ rows, columns, seed, offset, width }) => {
      const x = normals(seed, rows * columns).map((value) => width * value + offset);
      await expectMatchesReference(device(), softmax(rows, columns), [x]);
    });
  });

  it.each([
    [1, 5000],
    [700, 3],
    [129, 257],
  ])('agrees for %i x %i', async (rows, columns) => {
    await expectMatchesReference(device(), softmax(rows, columns), [normals(1, rows * columns)]);
  });

  it('gives equal shares to equal numbers, none to -Infinity, and NaN only to a row with NaN', async () => {
    const { NEGATIVE_INFINITY: none, NaN: nan } = Number;
    const [y] = await runKernel(device(), softmax(3, 4), [
      [1e30, 1e30, 1e30, 1e30, 0, none, 0, none, 0, nan, 1, 2],
    ]);
    expect(Array.from(y)).toEqual([0.25, 0.25, 0.25, 0.25, 0.5, 0, 0.5, 0, nan, nan, nan, nan]);
  });
});

function softmax(rows: number, columns: number): Kernel {
  return { kind: 'softmax', rows, columns, inputs: ['float32'], scalars: [] };
}
