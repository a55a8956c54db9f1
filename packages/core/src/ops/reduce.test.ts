// Reductions: values and gradients over random shapes, axes and views; ties, NaN, infinities, integers, and mistakes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import type { Tensor } from '../tensor.js';
import { Choices, normals, seeds } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { operand, shapes } from '../testing/operands.js';
import { type OperationOptions, testOperation } from '../testing/operation-suite.js';
import { fold, fromIndices } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';

type Reduction = (x: Tensor, axes: number[] | undefined, keepDims: boolean) => Tensor;

const total = (values: number[]) => values.reduce((sum, x) => sum + x, 0);
const average = (values: number[]) => total(values) / values.length;
const spread = (values: number[]) => total(values.map((x) => (x - average(values)) ** 2));
const permuted: OperationOptions = { derivatives: 1 };

/** Values whose order is clear: derivatives of a maximum do not exist at ties, which padding and broadcasting would make. */
const distinct = { movements: ['permute', 'slice', 'reshape'] } as const;

const rows: [name: string, Reduction, (values: number[]) => number, OperationOptions?][] = [
  ['sum', (x, axes, keepDims) => x.sum(axes, keepDims), total],
  ['mean', (x, axes, keepDims) => x.mean(axes, keepDims), average],
  ['max', (x, axes, keepDims) => x.max(axes, keepDims), (values) => Math.max(...values), permuted],
  ['min', (x, axes, keepDims) => x.min(axes, keepDims), (values) => Math.min(...values), permuted],
  ['variance', (x, axes, keepDims) => x.variance(axes, keepDims), (values) => spread(values) / values.length],
  [
    'logsumexp',
    (x, axes, keepDims) => x.logsumexp(axes, keepDims),
    (values) => Math.log(total(values.map(Math.exp))),
  ],
];

for (const [name, reduce, fn, options] of rows)
  testOperation(
    name,
    fc.record({ shape: shapes(), seed: seeds, keepDims: fc.boolean() }).map(({ shape, seed, keepDims }) => {
      const choices = new Choices(seed);
      const all = [...shape.keys()];
      const axes = choices.below(4) ? all.filter(() => choices.below(2) === 0) : undefined;
      const asked = axes?.map((axis) => (choices.below(2) ? axis : axis - shape.length)).reverse();
      return {
        operands: [operand(shape, seed, options === permuted ? distinct : {})],
        apply: (x) => reduce(x, asked, keepDims),
        plain: (x) => fold(x, axes ?? all, fn, keepDims),
      };
    }),
    { runs: 40, ...options },
  );

testOperation(
  'a reduction of an expression',
  fc.record({ shape: shapes(5, 1), seed: seeds }).map(({ shape, seed }) => {
    const axis = new Choices(seed).below(shape.length);
    return {
      operands: [operand(shape, seed), operand(shape.with(axis, 1), seed + 1)],
      apply: (x, y) => x.sub(y).square().mean(axis).add(1).sqrt(),
      plain: (x, y) => {
        const squares = fromIndices(
          shape,
          (index) => (at(x, shape, index) - at(y, shape.with(axis, 1), index.with(axis, 0))) ** 2,
        );
        return fold(squares, [axis], (values) => Math.sqrt(average(values) + 1));
      },
    };
  }),
);

function at({ data }: { data: Float64Array }, shape: readonly number[], index: readonly number[]): number {
  return data[shape.reduce((position, length, d) => position * length + index[d], 0)];
}

testOperation(
  'argmax',
  fc.record({ shape: shapes(5, 1), seed: seeds }).map(({ shape, seed }) => {
    const axis = new Choices(seed).below(shape.length);
    return {
      // Whole numbers: ties are common, and the first of equals counts.
      operands: [
        operand(shape, seed, { values: (s, elements) => normals(s, elements).map((x) => Math.round(2 * x)) }),
      ],
      apply: (x) => x.argmax(axis),
      plain: (x) => fold(x, [axis], (values) => values.indexOf(Math.max(...values))),
    };
  }),
  { derivatives: 0, runs: 40 },
);

describe.each(devices)('reductions on %s', (deviceName) => {
  useDevice(deviceName);
  const infinity = Number.POSITIVE_INFINITY;

  it('sum many numbers exactly enough', async () => {
    const ones = tensor(new Float32Array(70_000).fill(0.1), [7, 10_000]);
    const [sum] = await numbers(ones.sum());
    expect(Math.abs(sum - 7000 * Math.fround(0.1) * 10)).toBeLessThan(0.01);
    const [mean] = await numbers(ones.mean());
    expect(mean).toBeCloseTo(0.1, 6);
  });

  it('divide the unbiased variance by one less', async () => {
    const [variance] = await numbers(tensor([1, 2, 4]).variance(0, false, { unbiased: true }));
    expect(variance).toBeCloseTo(7 / 3, 5);
  });

  it('share the gradient of a maximum between ties', async () => {
    const x = tensor([
      [3, 1, 3],
      [2, 5, 4],
    ]);
    expect(await numbers(grad(x.max(1).sum(), x))).toEqual([0.5, 0, 0.5, 0, 1, 0]);
  });

  it('let NaN win every maximum', async () => {
    const x = tensor([
      [1, Number.NaN, 2],
      [3, 9, 9],
    ]);
    expect(await numbers(x.max(1))).toEqual([Number.NaN, 9]);
    expect(await numbers(x.min(1))).toEqual([Number.NaN, 3]);
    expect(await numbers(x.argmax(1))).toEqual([1, 1]);
  });

  it('take the logarithm of sums beyond the range of floats, and of nothing', async () => {
    const x = tensor([
      [1e4, 1e4],
      [-1e4, -1e4],
      [-infinity, -infinity],
      [infinity, 0],
      [-infinity, 3],
    ]);
    const result = await numbers(x.logsumexp(1));
    const expected = [1e4 + Math.LN2, -1e4 + Math.LN2, -infinity, infinity, 3];
    expected.forEach((value, i) => {
      if (Number.isFinite(value)) expect(Math.abs(result[i] - value)).toBeLessThan(1e-3);
      else expect(result[i]).toBe(value);
    });
    const [gradient] = [await numbers(grad(x.slice([0, 0], [2, 2]).logsumexp(1).sum(), x))];
    expect(gradient.slice(0, 4)).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  it('reduce integers exactly', async () => {
    const signed = tensor(Int32Array.of(5, -3, 2_000_000_000, 2_000_000_001), [2, 2]);
    expect(await numbers(signed.sum(1))).toEqual([2, (4_000_000_001 | 0) + 0]);
    expect(await numbers(signed.max())).toEqual([2_000_000_001]);
    expect(await numbers(signed.min(1))).toEqual([-3, 2_000_000_000]);
    expect(await numbers(tensor(Int32Array.of(-(2 ** 31), 4)).min())).toEqual([-(2 ** 31)]);
    const unsigned = tensor(Uint32Array.of(0, 7, 4_000_000_000), [3]);
    expect(await numbers(unsigned.min())).toEqual([0]);
    expect(await numbers(unsigned.max())).toEqual([4_000_000_000]);
    expect(await numbers(signed.argmax(1))).toEqual([0, 1]);
  });
});

describe('mistakes in reductions', () => {
  const x = tensor(normals(1, 6), [2, 3]);

  it.each<[string, () => unknown, string, string[]]>([
    ['an axis out of range', () => x.sum(2), 'BAD_ARGUMENT', ['sum', 'axis 2', 'rank 2', '-2 to 1']],
    ['an axis named twice', () => x.mean([1, -1]), 'BAD_ARGUMENT', ['mean', '[1, -1]']],
    ['a fraction of an axis', () => x.max(0.5), 'BAD_ARGUMENT', ['max', '0.5']],
    ['an axis of a scalar', () => tensor(1).sum(0), 'BAD_ARGUMENT', ['sum', 'rank 0']],
    ['the mean of integers', () => x.cast('int32').mean(), 'DTYPE_MISMATCH', ['mean', 'int32', 'cast']],
    ['the sum of bool', () => x.lt(0).sum(), 'DTYPE_MISMATCH', ['sum', 'bool', 'cast']],
    ['the minimum of bool', () => x.lt(0).min(), 'DTYPE_MISMATCH', ['min:', 'bool', 'cast']],
    ['the minimum along no axis of the tensor', () => x.min(2), 'BAD_ARGUMENT', ['min:', 'axis 2']],
    ['argmax along no axis of the tensor', () => x.argmax(3), 'BAD_ARGUMENT', ['argmax', '3']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });
});
