// Matrix products: batches that broadcast, operands seen as transposes or through other movements, gradients of both orders.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { planStatistics } from '../realize.js';
import { Choices, normals, seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { broadcastable, operand } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { matmul, permute } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';

const sizes = fc.record({
  leading: fc.array(size(1, 3), { maxLength: 3 }),
  m: size(1, 6),
  k: size(1, 6),
  n: size(1, 6),
  seed: seeds,
});

testOperation(
  'matmul',
  sizes.map(({ leading, m, k, n, seed }) => {
    const choices = new Choices(seed);
    return {
      operands: [
        operand([...broadcastable(leading, choices), m, k], seed),
        operand([...broadcastable(leading, choices), k, n], seed + 1),
      ],
      apply: (a, b) => a.matmul(b),
      plain: matmul,
    };
  }),
  { runs: 60 },
);

testOperation(
  'matmul of transposes',
  sizes.map(({ leading, m, k, n, seed }) => {
    const choices = new Choices(seed);
    const [shapeA, shapeB] = [broadcastable(leading, choices), broadcastable(leading, choices)];
    const [flipA, flipB] = [choices.below(2) === 1, choices.below(2) === 1];
    const flipped = (rank: number) => [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return {
      operands: [
        operand([...shapeA, ...(flipA ? [k, m] : [m, k])], seed, { depth: 0 }),
        operand([...shapeB, ...(flipB ? [n, k] : [k, n])], seed + 1, { depth: 0 }),
      ],
      apply: (a, b) => (flipA ? a.transpose() : a).matmul(flipB ? b.transpose() : b),
      plain: (a, b) =>
        matmul(
          flipA ? permute(a, flipped(a.shape.length)) : a,
          flipB ? permute(b, flipped(b.shape.length)) : b,
        ),
    };
  }),
  { runs: 60 },
);

testOperation(
  'a chain of matrix products',
  sizes.map(({ m, k, n, seed }) => ({
    operands: [operand([2, m, k], seed), operand([k, n], seed + 1), operand([n, m], seed + 2)],
    apply: (a, b, c) => a.matmul(b).tanh().matmul(c).matmul(a),
    plain: (a, b, c) => {
      const hidden = matmul(a, b);
      return matmul(matmul({ ...hidden, data: hidden.data.map(Math.tanh) }, c), a);
    },
  })),
);

describe.each(devices)('matrix products on %s', (deviceName) => {
  useDevice(deviceName);
  const a = tensor(normals(1, 12), [3, 4]);
  const b = tensor(normals(2, 12), [3, 4]);

  it.each<[string, () => unknown]>([
    ['as they lie', () => a.matmul(b.reshape(4, 3))],
    ['the left one transposed', () => a.transpose().matmul(b)],
    ['the right one transposed', () => a.matmul(b.transpose())],
    ['transposes of transposes', () => a.transpose().transpose().matmul(b.transpose())],
  ])('read operands %s without copies', async (_, product) => {
    await numbers(product() as typeof a);
    expect(planStatistics().last?.steps.map(({ kernel }) => kernel.kind)).toEqual(['matmul']);
  });
});

describe('mistakes in matrix products', () => {
  const a = tensor(normals(1, 6), [2, 3]);

  it.each<[string, () => unknown, string, string[]]>([
    ['inner sizes that differ', () => a.matmul(a), 'SHAPE_MISMATCH', ['matmul', '[2, 3]', 'same k']],
    ['vectors', () => a.matmul(tensor([1, 2, 3])), 'SHAPE_MISMATCH', ['matmul', '[2, 3]', '[3]']],
    [
      'batches that do not broadcast',
      () => a.broadcastTo([2, 2, 3]).matmul(a.transpose().broadcastTo([3, 3, 2])),
      'SHAPE_MISMATCH',
      ['matmul', '[2]', '[3]'],
    ],
    [
      'integers',
      () => a.cast('int32').matmul(a.transpose().cast('int32')),
      'DTYPE_MISMATCH',
      ['matmul', 'int32'],
    ],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });
});
