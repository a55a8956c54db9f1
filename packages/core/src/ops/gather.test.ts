// Rows of a table by index: values, gradients of both orders with repeated indices, indices outside the table, mistakes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { integers, normals, seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { operand, shapes } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { element, fromIndices } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';
import { gather } from './gather.js';

testOperation(
  'gather',
  fc
    .record({ rows: size(1, 5), columns: size(1, 6), shape: shapes(3), seed: seeds })
    .map(({ rows, columns, shape, seed }) => ({
      operands: [
        operand([rows, columns], seed),
        operand(shape, seed + 1, { dtype: 'int32', values: (s, elements) => integers(s, elements, 0, rows) }),
      ],
      // Squares: the gradient of a gradient is then more than zero.
      apply: (table, indices) => gather(table, indices).square(),
      plain: (table, indices) =>
        fromIndices([...shape, columns], (index) => {
          const row = element(indices, index.slice(0, -1));
          return element(table, [row, index[index.length - 1]]) ** 2;
        }),
    })),
  { runs: 40 },
);

describe.each(devices)('gather on %s', (deviceName) => {
  useDevice(deviceName);

  it('sums the gradients of a row that is read more than once, and of none', async () => {
    const table = tensor(normals(1, 6), [3, 2]);
    const weights = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
    const loss = gather(table, tensor(Int32Array.of(2, 0, 2)))
      .mul(weights)
      .sum();
    expect(await numbers(grad(loss, table))).toEqual([3, 4, 0, 0, 6, 8]);
  });

  it('gives NaN for an index outside the table', async () => {
    const table = tensor([1, 2], [2, 1]);
    expect(await numbers(gather(table, tensor(Int32Array.of(-1, 1, 2))))).toEqual([
      Number.NaN,
      2,
      Number.NaN,
    ]);
  });
});

describe('mistakes in gather', () => {
  const table = tensor(normals(1, 6), [3, 2]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'a table that is a vector',
      () => gather(tensor([1, 2]), tensor(Int32Array.of(0))),
      'SHAPE_MISMATCH',
      ['[2]', 'rows, columns'],
    ],
    ['indices of float32', () => gather(table, tensor([0, 1])), 'DTYPE_MISMATCH', ['float32', 'int32']],
    [
      'a table of integers',
      () => gather(table.cast('int32'), tensor(Int32Array.of(0))),
      'DTYPE_MISMATCH',
      ['int32', 'float32'],
    ],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, 'gather', ...parts);
  });
});
