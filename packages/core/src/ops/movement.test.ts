// Movements: values and gradients over random shapes, chains of movements, joining and cutting, and their mistakes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { Choices, normals, seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { operand, shapes } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import * as plain from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';
import { concat, stack, upsampleNearest } from './movement.js';

/** One operand and a function that derives the movement from its shape and random choices. */
const shaped = (minRank = 0) => fc.record({ shape: shapes(6, minRank), seed: seeds });

testOperation(
  'a chain of movements',
  shaped().map(({ shape, seed }) => ({
    operands: [operand(shape, seed, { depth: 5 })],
    apply: (x) => x.mul(2),
    plain: (x) => plain.zip((a) => 2 * a, x),
  })),
  { runs: 100 },
);

testOperation(
  'a movement of a computed value',
  shaped().map(({ shape, seed }) => {
    // The movements come after the sum, so that they are read out of memory or through the expression.
    const { view, plainView, leaf } = operand(shape, seed, { depth: 3 });
    const [a, b] = [1, 2].map((i) => operand(leaf.shape, seed + i));
    return {
      operands: [a, b],
      apply: (x, y) => view(x.mul(y)).sin(),
      plain: (x, y) => plain.zip(Math.sin, plainView(plain.zip((p, q) => p * q, x, y))),
    };
  }),
  { runs: 60 },
);

testOperation(
  'concat',
  fc.record({ shape: shapes(5, 1), parts: size(1, 9), seed: seeds }).map(({ shape, parts, seed }) => {
    const choices = new Choices(seed);
    const axis = choices.below(shape.length);
    return {
      operands: Array.from({ length: parts }, (_, i) =>
        operand(shape.with(axis, 1 + choices.below(3)), seed + i),
      ),
      apply: (...inputs) => concat(inputs, choices.below(2) ? axis : axis - shape.length),
      plain: (...inputs) => plain.concat(inputs, axis),
    };
  }),
  { runs: 30 },
);

testOperation(
  'stack',
  shaped().map(({ shape, seed }) => {
    const axis = new Choices(seed).below(shape.length + 1);
    return {
      operands: [operand(shape, seed), operand(shape, seed + 1), operand(shape, seed + 2)],
      apply: (...inputs) => stack(inputs, axis),
      plain: (...inputs) =>
        plain.concat(
          inputs.map((x) => plain.reshape(x, shape.toSpliced(axis, 0, 1))),
          axis,
        ),
    };
  }),
);

testOperation(
  'split',
  fc
    .record({ shape: shapes(5, 1), sizes: fc.array(size(1, 3), { minLength: 1, maxLength: 3 }), seed: seeds })
    .map(({ shape, sizes, seed }) => {
      const axis = new Choices(seed).below(shape.length);
      const whole = shape.with(axis, plain.count([sizes.reduce((a, b) => a + b)]));
      const last = shape.with(axis, sizes[sizes.length - 1]);
      const begin = whole.map((length, d) => length - last[d]);
      return {
        operands: [operand(whole, seed)],
        apply: (x) => x.split(sizes, axis)[sizes.length - 1],
        plain: (x) => plain.slice(x, begin, last),
      };
    }),
);

testOperation(
  'upsampleNearest',
  fc.record({ shape: shapes(4, 4), scale: size(1, 3), seed: seeds }).map(({ shape, scale, seed }) => ({
    operands: [operand(shape, seed)],
    apply: (x) => upsampleNearest(x, scale),
    plain: (x) =>
      plain.fromIndices([shape[0], shape[1] * scale, shape[2] * scale, shape[3]], ([n, h, w, c]) =>
        plain.element(x, [n, Math.floor(h / scale), Math.floor(w / scale), c]),
      ),
  })),
);

describe.each(devices)('movements on %s', (deviceName) => {
  useDevice(deviceName);
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  it('count slices from either end', async () => {
    expect(await numbers(x.slice([0, -2], [-1, 3]))).toEqual([2, 3]);
    expect(await numbers(x.sliceAxis(-1, 1))).toEqual([2, 3, 5, 6]);
    expect(await numbers(x.sliceAxis(0, -1, 2))).toEqual([4, 5, 6]);
  });

  it('fill the last size of a shape', () => {
    expect(x.reshape(3, -1).shape).toEqual([3, 2]);
    expect(x.reshape([-1]).shape).toEqual([6]);
    expect(x.unsqueeze(-1).shape).toEqual([2, 3, 1]);
    expect(x.reshape(1, 2, 1, 3).squeeze().shape).toEqual([2, 3]);
    expect(x.reshape(1, 2, 1, 3).squeeze(-2).shape).toEqual([1, 2, 3]);
  });

  it('read nothing but padding as zeros', async () => {
    expect(
      await numbers(
        tensor([7])
          .pad([[1, 0]])
          .slice([0], [1])
          .add(1),
      ),
    ).toEqual([1]);
    expect(
      await numbers(
        x
          .pad([
            [2, 0],
            [0, 0],
          ])
          .slice([0, 0], [2, 3])
          .sum(1),
      ),
    ).toEqual([0, 0]);
    expect(
      await numbers(
        x
          .pad([
            [0, 1],
            [0, 0],
          ])
          .slice([2, 0], [3, 1])
          .broadcastTo([2, 2]),
      ),
    ).toEqual([0, 0, 0, 0]);
  });

  it('carry every dtype', async () => {
    const integers = tensor(Int32Array.of(1, -2, 3, -4), [2, 2]);
    expect(
      await numbers(
        integers.transpose().pad([
          [0, 0],
          [1, 0],
        ]),
      ),
    ).toEqual([0, 1, 3, 0, -2, -4]);
    const flags = tensor(Uint8Array.of(1, 0));
    expect(await numbers(concat([flags, flags], 0))).toEqual([1, 0, 1, 0]);
    expect(await numbers(concat([integers, integers.neg()], 1))).toEqual([1, -2, -1, 2, 3, -4, -3, 4]);
    const large = tensor(Uint32Array.of(4e9, 3));
    expect(await numbers(stack([large, large]))).toEqual([4e9, 3, 4e9, 3]);
  });

  it('keep NaN and infinities where they are when tensors are joined', async () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(await numbers(concat([tensor(special), tensor([1])], 0))).toEqual([...special, 1]);
  });
});

describe('mistakes in movements', () => {
  const x = tensor(normals(1, 6), [2, 3]);
  const image = tensor(normals(2, 8), [1, 2, 2, 2]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'a reshape to another number of elements',
      () => x.reshape(4, 2),
      'SHAPE_MISMATCH',
      ['reshape', '[2, 3]', '[4, 2]', '6'],
    ],
    ['two sizes to be filled', () => x.reshape(-1, -1), 'SHAPE_MISMATCH', ['reshape', '-1']],
    ['a size that cannot be filled', () => x.reshape(4, -1), 'SHAPE_MISMATCH', ['reshape', '[4, -1]']],
    ['negative sizes', () => x.reshape(-2, -3), 'BAD_ARGUMENT', ['reshape', '[-2, -3]']],
    ['an axis named twice', () => x.permute(0, 0), 'BAD_ARGUMENT', ['permute', '[0, 0]', '[2, 3]']],
    ['an axis out of range', () => x.permute(0, 2), 'BAD_ARGUMENT', ['permute', 'axis 2', 'rank 2']],
    ['a transpose of a vector', () => tensor([1]).transpose(), 'SHAPE_MISMATCH', ['transpose', '[1]']],
    [
      'a broadcast of an axis that is not 1',
      () => x.broadcastTo([4, 3]),
      'SHAPE_MISMATCH',
      ['broadcastTo', '[2, 3]', '[4, 3]'],
    ],
    [
      'a broadcast to a smaller shape',
      () => x.broadcastTo([1, 3]),
      'SHAPE_MISMATCH',
      ['broadcastTo', '[2, 3]', '[1, 3]'],
    ],
    [
      'a broadcast to lower rank',
      () => x.broadcastTo([3]),
      'SHAPE_MISMATCH',
      ['broadcastTo', '[2, 3]', '[3]'],
    ],
    ['a slice beyond the end', () => x.slice([0, 0], [2, 4]), 'BAD_ARGUMENT', ['slice', '[2, 4]', '[2, 3]']],
    ['an empty slice', () => x.sliceAxis(1, 2, 2), 'BAD_ARGUMENT', ['slice', '[2, 3]']],
    ['a slice of another rank', () => x.slice([0], [1]), 'BAD_ARGUMENT', ['slice', '[2, 3]']],
    [
      'negative padding',
      () =>
        x.pad([
          [0, 0],
          [-1, 0],
        ]),
      'BAD_ARGUMENT',
      ['pad', '-1', '[2, 3]'],
    ],
    ['padding of another rank', () => x.pad([[0, 0]]), 'BAD_ARGUMENT', ['pad', '[2, 3]']],
    ['squeezing an axis that is not 1', () => x.squeeze(0), 'SHAPE_MISMATCH', ['squeeze', '[2, 3]', '0']],
    ['concat of nothing', () => concat([], 0), 'BAD_ARGUMENT', ['concat']],
    [
      'concat of unlike shapes',
      () => concat([x, x.transpose()], 0),
      'SHAPE_MISMATCH',
      ['concat', '[2, 3]', '[3, 2]'],
    ],
    [
      'concat of mixed dtypes',
      () => concat([x, x.cast('int32')], 0),
      'DTYPE_MISMATCH',
      ['concat', 'float32', 'int32'],
    ],
    ['stack of unlike shapes', () => stack([x, x.transpose()]), 'SHAPE_MISMATCH', ['[2, 3]', '[3, 2]']],
    ['unequal pieces', () => x.split(2, 1), 'BAD_ARGUMENT', ['split', '[2, 3]', '3']],
    ['pieces that do not add up', () => x.split([1, 1], 1), 'BAD_ARGUMENT', ['split', '3']],
    ['upsampling a matrix', () => x.upsampleNearest(), 'SHAPE_MISMATCH', ['upsampleNearest', '[2, 3]']],
    [
      'upsampling by a fraction',
      () => image.upsampleNearest(1.5),
      'BAD_ARGUMENT',
      ['upsampleNearest', '1.5'],
    ],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });
});
