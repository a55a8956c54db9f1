// Softmax and its logarithm along any axis: values, gradients of both orders, stability.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { Choices, normals, seeds } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { operand, shapes } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { fold, type PlainArray, zip } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';

function plainSoftmax(x: PlainArray, axis: number): PlainArray {
  const sums = fold(x, [axis], (values) => values.reduce((sum, a) => sum + Math.exp(a), 0), true);
  return zip((a, sum) => Math.exp(a) / sum, x, sums);
}

const cases = fc.record({ shape: shapes(5, 1), seed: seeds }).map(({ shape, seed }) => {
  const axis = new Choices(seed).below(shape.length);
  return { axis, asked: seed % 2 ? axis : axis - shape.length, operands: [operand(shape, seed)] };
});

testOperation(
  'softmax',
  cases.map(({ axis, asked, operands }) => ({
    operands,
    apply: (x) => x.softmax(asked),
    plain: (x) => plainSoftmax(x, axis),
  })),
  { runs: 40 },
);

testOperation(
  'logSoftmax',
  cases.map(({ axis, asked, operands }) => ({
    operands,
    apply: (x) => x.logSoftmax(asked),
    plain: (x) => zip(Math.log, plainSoftmax(x, axis)),
  })),
  { runs: 40 },
);

describe.each(devices)('softmax on %s', (deviceName) => {
  useDevice(deviceName);

  it('is stable for large numbers', async () => {
    const x = tensor([
      [1e4, 1e4, -1e4],
      [-1e4, -1e4, -1e4],
    ]);
    const expected = [0.5, 0.5, 0, 1 / 3, 1 / 3, 1 / 3];
    (await numbers(x.softmax())).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 6);
    });
    const [first, , third] = await numbers(x.logSoftmax());
    expect(first).toBeCloseTo(-Math.LN2, 3);
    expect(third).toBeCloseTo(-2e4 - Math.LN2, 1);
  });
});

describe('mistakes in softmax', () => {
  it.each<[string, () => unknown, string, string[]]>([
    ['a scalar', () => tensor(1).softmax(), 'BAD_ARGUMENT', ['softmax', 'rank 0']],
    ['an axis out of range', () => tensor(normals(1, 3)).softmax(1), 'BAD_ARGUMENT', ['softmax', 'axis 1']],
    ['integers', () => tensor(Int32Array.of(1, 2)).softmax(), 'DTYPE_MISMATCH', ['softmax', 'int32']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });
});
