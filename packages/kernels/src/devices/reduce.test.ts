// Reductions on every device: any axes, any views, integers exactly, NaN, and long sums.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DType } from '../dtype.js';
import type { ReduceKernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { forAll, seeds } from '../testing/properties.js';
import { bits, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { UNIT_ROUNDOFF } from '../testing/tolerance.js';
import { viewCases } from '../testing/views.js';
import { elementCount } from '../view.js';

type Reduction = ReduceKernel['reduction'];
const reductions: readonly Reduction[] = ['sum', 'max', 'mean'];

describe.each(deviceLabels)('reduce on %s', (label) => {
  const device = useDevice(label);

  describe.each(reductions)('%s', (reduction) => {
    it('agrees for any axes and views of an expression', async () => {
      const cases = viewCases(2).chain((views) =>
        fc.record({
          views: fc.constant(views),
          axes: fc.subarray(views.shape.map((_, d) => d)),
          seed: seeds,
        }),
      );
      await forAll(cases, 80, async ({ views, axes, seed }) => {
        const { shape, inputs } = views;
        const e = new ExpressionBuilder(shape);
        const [a, b] = inputs.map(({ view }, input) => e.load(input, { view }));
        const expression = e.build(e.apply('mul', e.apply('sub', a, e.scalar(0)), b));
        const kernel: ReduceKernel = {
          kind: 'reduce',
          reduction,
          inputs: ['float32', 'float32'],
          scalars: ['float32'],
          shape,
          axes,
          expression,
        };
        const data = inputs.map(({ elements }, i) => normals(seed + i, elements));
        await expectMatchesReference(device(), kernel, data, [0.375]);
      });
    });

    it.each([
      { shape: [40_000], axes: [0] },
      { shape: [300, 130], axes: [0] },
      { shape: [130, 300], axes: [1] },
      { shape: [5, 37, 9, 11], axes: [1, 3] },
      { shape: [6, 65, 33], axes: [0, 1] },
      { shape: [3, 1, 70], axes: [1] },
      { shape: [2, 1025, 3], axes: [1] },
    ])('agrees over $axes of $shape', async ({ shape, axes }) => {
      const kernel = plain(reduction, shape, axes);
      await expectMatchesReference(device(), kernel, [normals(1, elementCount(shape))]);
    });

    it('makes NaN of NaN, wherever it is', async () => {
      for (const position of [0, 1, 7, 63, 99]) {
        const data = normals(3, 100);
        data[position] = Number.NaN;
        const [total] = await runKernel(device(), plain(reduction, [100], [0]), [data]);
        expect(total[0]).toBeNaN();
        const [rows] = await runKernel(device(), plain(reduction, [10, 10], [1]), [data]);
        expect(Array.from(rows, Number.isNaN)).toEqual(
          Array.from(rows, (_, row) => row === Math.floor(position / 10)),
        );
        const [columns] = await runKernel(device(), plain(reduction, [10, 10], [0]), [data]);
        expect(Array.from(columns, Number.isNaN)).toEqual(
          Array.from(columns, (_, column) => column === position % 10),
        );
      }
    });

    it('handles infinities', async () => {
      const data = [1, Number.POSITIVE_INFINITY, -2, 5];
      const [high] = await runKernel(device(), plain(reduction, [4], [0]), [data]);
      expect(high[0]).toBe(Number.POSITIVE_INFINITY);
      const [low] = await runKernel(device(), plain(reduction, [4], [0]), [
        data.map((value) => -Math.abs(value)),
      ]);
      expect(low[0]).toBe(reduction === 'max' ? -1 : Number.NEGATIVE_INFINITY);
    });
  });

  it('takes the maximum of all-negative numbers', async () => {
    const data = normals(4, 77).map((value) => -1 - Math.abs(value));
    const [highest] = await runKernel(device(), plain('max', [77], [0]), [data]);
    expect(highest[0]).toBe(Math.max(...data));
  });

  it('sums and maximises integers exactly', async () => {
    for (const dtype of ['int32', 'uint32'] as const) {
      for (const reduction of ['sum', 'max'] as const) {
        for (const axes of [[0], [1], [0, 1]]) {
          const data = dtype === 'int32' ? Int32Array.from(bits(5, 7 * 61)) : bits(6, 7 * 61);
          await expectMatchesReference(device(), plain(reduction, [7, 61], axes, dtype), [data]);
        }
      }
    }
  });

  it('sums a million equal numbers in blocks', async () => {
    // Roundings are not random here: one running sum would be wrong by 1 %, forty times the tolerance.
    const count = 1_000_000;
    const kernel = plain('sum', [count], [0]);
    const [total] = await runKernel(device(), kernel, [new Float32Array(count).fill(0.1)]);
    const exact = count * Math.fround(0.1);
    expect(Math.abs(total[0] - exact)).toBeLessThan(4 * UNIT_ROUNDOFF * Math.sqrt(count) * exact);
  });
});

function plain(
  reduction: Reduction,
  shape: number[],
  axes: number[],
  dtype: DType = 'float32',
): ReduceKernel {
  const e = new ExpressionBuilder(shape);
  const expression = e.build(e.load(0, { dtype }));
  return { kind: 'reduce', reduction, inputs: [dtype], scalars: [], shape, axes, expression };
}
