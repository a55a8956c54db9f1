// Tensors from numbers: what they hold, their gradients, mistakes.
import { elementCount } from '@dmpo/kernels';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import type { Tensor } from '../tensor.js';
import { expectError } from '../testing/errors.js';
import { numbers } from '../testing/read.js';
import { arange, eye, full, linspace, oneHot, ones, tensor, zeros } from './creation.js';

describe.each(devices)('creation on %s', (deviceName) => {
  useDevice(deviceName);

  it.each<[string, () => Tensor, string, number[]]>([
    [
      'nested arrays',
      () =>
        tensor([
          [1, 2],
          [3, 4],
        ]),
      'float32 [2, 2]',
      [1, 2, 3, 4],
    ],
    ['a number', () => tensor(2.5), 'float32 []', [2.5]],
    ['a number of a shape', () => tensor(3, [1]), 'float32 [1]', [3]],
    ['a Float64Array', () => tensor(Float64Array.of(0.5, 1)), 'float32 [2]', [0.5, 1]],
    ['an Int32Array', () => tensor(Int32Array.of(-1, 2), [2, 1]), 'int32 [2, 1]', [-1, 2]],
    ['a Uint32Array', () => tensor(Uint32Array.of(4e9)), 'uint32 [1]', [4e9]],
    ['a Uint8Array', () => tensor(Uint8Array.of(0, 1, 255)), 'bool [3]', [0, 1, 1]],
    ['numbers of a dtype', () => tensor([1, 2], [2], 'int32'), 'int32 [2]', [1, 2]],
    ['zeros', () => zeros([2, 2]), 'float32 [2, 2]', [0, 0, 0, 0]],
    ['ones', () => ones([3], 'int32'), 'int32 [3]', [1, 1, 1]],
    ['full', () => full([2], -1.5), 'float32 [2]', [-1.5, -1.5]],
    ['arange', () => arange(4), 'int32 [4]', [0, 1, 2, 3]],
    ['arange between', () => arange(2, 5), 'int32 [3]', [2, 3, 4]],
    ['arange by steps', () => arange(5, -2, -3), 'int32 [3]', [5, 2, -1]],
    ['linspace', () => linspace(-1, 1, 5), 'float32 [5]', [-1, -0.5, 0, 0.5, 1]],
    ['linspace of one', () => linspace(7, 9, 1), 'float32 [1]', [7]],
    [
      'oneHot',
      () => oneHot(tensor(Int32Array.of(1, 0, 5)), 3),
      'float32 [3, 3]',
      [0, 1, 0, 1, 0, 0, 0, 0, 0],
    ],
    ['eye', () => eye(2), 'float32 [2, 2]', [1, 0, 0, 1]],
  ])('makes %s', async (_, make, description, values) => {
    const x = make();
    expect(String(x)).toBe(`Tensor(${description})`);
    expect(await numbers(x)).toEqual(values);
    // Padding and permuting read memory that has to be filled first.
    expect(
      await numbers(
        make()
          .pad(x.shape.map(() => [1, 0]))
          .slice(
            x.shape.map(() => 1),
            x.shape.map((n) => n + 1),
          ),
      ),
    ).toEqual(values);
  });

  it.each<[string, (shape: number[]) => Tensor]>([
    ['zeros', zeros],
    ['ones', ones],
    ['full', (shape) => full(shape, 3)],
    ['a number', () => tensor(2)],
    ['linspace of one', () => linspace(1, 2, 1)],
  ])('differentiates by %s as by any other tensor', async (_, make) => {
    const x = make([1, 3]);
    const weights = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const total = async (loss: Tensor) => (await numbers(grad(loss, x))).reduce((a, b) => a + b);
    const [value] = await numbers(x);
    expect(await total(x.add(weights).mul(weights).sum())).toBe(21);
    expect(await total(x.mul(weights).sum())).toBe(21);
    expect(await total(x.pow(3).broadcastTo([2, 3]).sum())).toBeCloseTo(18 * value ** 2, 4);
    expect(await total(x.sum().add(x.mean()))).toBeCloseTo(elementCount(x.shape) + 1, 5);
  });

  it('keeps the shape of a realized number that is broadcast later', async () => {
    const x = full([1, 2], 4);
    const before = await x.data();
    expect(Array.from(before)).toEqual([4, 4]);
    expect(await numbers(x.broadcastTo([3, 2]))).toEqual([4, 4, 4, 4, 4, 4]);
    expect(await numbers(x.add(tensor([1, 2, 3], [3, 1])))).toEqual([5, 5, 6, 6, 7, 7]);
    x.dispose();
  });
});

describe('mistakes in creation', () => {
  it.each<[string, () => unknown, string, string[]]>([
    ['rows of unequal length', () => tensor([[1, 2], [3]]), 'BAD_ARGUMENT', ['tensor', 'unequal']],
    ['empty rows', () => tensor([[]]), 'BAD_ARGUMENT', ['tensor']],
    [
      'too few numbers',
      () => tensor([1, 2, 3], [2, 2]),
      'BAD_ARGUMENT',
      ['tensor', '3 numbers', '[2, 2]', '4'],
    ],
    ['an empty axis', () => zeros([2, 0]), 'BAD_ARGUMENT', ['zeros', '[2, 0]', 'positive']],
    ['a fraction of an axis', () => full([1.5], 1), 'BAD_ARGUMENT', ['full', '1.5']],
    ['arange that never arrives', () => arange(0, 3, -1), 'BAD_ARGUMENT', ['arange', '0', '3', '-1']],
    ['arange of fractions', () => arange(0.5), 'BAD_ARGUMENT', ['arange', '0.5']],
    ['arange of nothing', () => arange(0), 'BAD_ARGUMENT', ['arange']],
    ['linspace of nothing', () => linspace(0, 1, 0), 'BAD_ARGUMENT', ['linspace', '0']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });
});
