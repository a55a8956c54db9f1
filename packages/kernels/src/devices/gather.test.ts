// Gathering rows and adding them back on every device.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GatherGradKernel, GatherKernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { integers, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

const inputs = ['float32', 'int32'] as const;
const cases = fc.record({ rows: size(1, 40), columns: size(1, 40), count: size(1, 60), seed: seeds });

describe.each(deviceLabels)('gather on %s', (label) => {
  const device = useDevice(label);

  it('copies rows exactly, and gives NaN for a row outside the table', async () => {
    await forAll(cases, 50, async ({ seed, ...sizes }) => {
      const { rows, columns, count } = sizes;
      const kernel: GatherKernel = { kind: 'gather', ...sizes, inputs, scalars: [] };
      const table = normals(seed, rows * columns);
      const indices = integers(seed, count, -2, rows + 2);
      const [output] = await runKernel(device(), kernel, [table, indices]);
      const expected = [...indices].flatMap((row) =>
        row < 0 || row >= rows
          ? new Array<number>(columns).fill(Number.NaN)
          : [...table.subarray(row * columns, (row + 1) * columns)],
      );
      expect(Array.from(output)).toEqual(expected);
    });
  });
});

describe.each(deviceLabels)('gatherGrad on %s', (label) => {
  const device = useDevice(label);

  it('agrees, ignoring rows outside the table', async () => {
    await forAll(cases, 50, async ({ seed, ...sizes }) => {
      const kernel: GatherGradKernel = { kind: 'gatherGrad', ...sizes, inputs, scalars: [] };
      const indices = integers(seed, sizes.count, -2, sizes.rows + 2);
      await expectMatchesReference(device(), kernel, [normals(seed, sizes.count * sizes.columns), indices]);
    });
  });

  it('adds the rows of one index in ascending order', async () => {
    // In float32, (1 + 2^24) - 2^24 is 0 or 1 by the order.
    const kernel: GatherGradKernel = {
      kind: 'gatherGrad',
      rows: 2,
      columns: 1,
      count: 6,
      inputs,
      scalars: [],
    };
    const dy = [1, 2 ** 60, -(2 ** 60), 2 ** 60, -(2 ** 60), 1];
    const [output] = await runKernel(device(), kernel, [dy, [0, 0, 0, 1, 1, 1]]);
    expect(Array.from(output)).toEqual([0, 1]);
  });

  it('agrees for a large table and many equal indices', async () => {
    const sizes = { rows: 400, columns: 33, count: 700 };
    const kernel: GatherGradKernel = { kind: 'gatherGrad', ...sizes, inputs, scalars: [] };
    const indices = integers(1, sizes.count, 300, 304);
    await expectMatchesReference(device(), kernel, [normals(1, sizes.count * sizes.columns), indices]);
  });
});
