// Convolution: values, both gradients and second derivatives over random geometries; adjointness; mistakes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { casesOn, devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { expectClose, forAll, normals, seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { operand } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { count, element, fromIndices, type PlainArray } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { type Conv2dOptions, conv2d } from './conv2d.js';
import { tensor } from './creation.js';

interface Geometry {
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: {
    readonly top: number;
    readonly bottom: number;
    readonly left: number;
    readonly right: number;
  };
}

/** The definition, tap by tap. */
function plainConv2d(x: PlainArray, w: PlainArray, { stride, dilation, padding }: Geometry): PlainArray {
  const [batch, height, width, channels] = x.shape;
  const [filters, kernelHeight, kernelWidth] = w.shape;
  const sizeOf = (length: number, around: number, kernel: number, axis: 0 | 1) =>
    Math.floor((length + around - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1;
  const outHeight = sizeOf(height, padding.top + padding.bottom, kernelHeight, 0);
  const outWidth = sizeOf(width, padding.left + padding.right, kernelWidth, 1);
  return fromIndices([batch, outHeight, outWidth, filters], ([n, p, q, o]) => {
    let sum = 0;
    for (let r = 0; r < kernelHeight; r++)
      for (let s = 0; s < kernelWidth; s++) {
        const row = p * stride[0] - padding.top + r * dilation[0];
        const column = q * stride[1] - padding.left + s * dilation[1];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        for (let c = 0; c < channels; c++) sum += element(x, [n, row, column, c]) * element(w, [o, r, s, c]);
      }
    return sum;
  });
}

const geometries = fc.record({
  batch: size(1, 3),
  height: size(1, 6),
  width: size(1, 6),
  channels: size(1, 4),
  filters: size(1, 4),
  kernel: fc.tuple(size(1, 3), size(1, 3)),
  stride: fc.tuple(size(1, 3), size(1, 3)),
  dilation: fc.tuple(size(1, 2), size(1, 2)),
  padding: fc.record({ top: size(0, 2), bottom: size(0, 2), left: size(0, 2), right: size(0, 2) }),
  seed: seeds,
});

const cases = geometries.map(({ batch, height, width, channels, filters, kernel, seed, ...geometry }) => {
  // Large enough for the filter, whatever the padding.
  const image = [height, width].map((length, axis) => length + geometry.dilation[axis] * (kernel[axis] - 1));
  return {
    geometry,
    operands: [operand([batch, ...image, channels], seed), operand([filters, ...kernel, channels], seed + 1)],
  };
});

testOperation(
  'conv2d',
  cases.map(({ geometry, operands }) => ({
    operands,
    apply: (x, w) => conv2d(x, w, geometry),
    plain: (x, w) => plainConv2d(x, w, geometry),
  })),
  { runs: 40, roundings: 100 },
);

testOperation(
  'conv2d with bias, activation and residual',
  cases.map(({ geometry, operands }) => {
    const [x, w] = operands.map(({ plainView, leaf }) => plainView(leaf));
    const { shape } = plainConv2d(x, w, geometry);
    return {
      operands: [...operands, operand([shape[3]], 3), operand(shape, 4)],
      apply: (x, w, bias, residual) => conv2d(x, w, geometry).add(bias).silu().add(residual),
      plain: (x, w, bias, residual) => {
        const y = plainConv2d(x, w, geometry);
        return fromIndices(shape, (index) => {
          const biased = element(y, index) + element(bias, index);
          return biased / (1 + Math.exp(-biased)) + element(residual, index);
        });
      },
    };
  }),
  { roundings: 100 },
);

describe.each(devices)('conv2d on %s', (deviceName) => {
  useDevice(deviceName);

  it('satisfies <conv(x, w), dy> = <x, inputGrad(dy, w)> = <w, filterGrad(x, dy)>', async () => {
    await forAll(cases, casesOn(deviceName, 25), async ({ geometry, operands }) => {
      const [x, w] = operands.map(({ plainView, leaf }) => {
        const { shape, data } = plainView(leaf);
        return tensor(data, shape);
      });
      const y = conv2d(x, w, geometry);
      const dy = tensor(normals(9, count(y.shape)), y.shape);
      const product = y.mul(dy).sum();
      const [dx, dw] = grad(product, [x, w]);
      const [value] = await numbers(product);
      const [byInput] = await numbers(x.mul(dx).sum());
      const [byFilter] = await numbers(w.mul(dw).sum());
      const size = Math.sqrt(count(y.shape) * count(w.shape.slice(1)));
      const tolerance = () => size * (deviceName === 'reference' ? 1e-13 : 1e-5);
      expectClose([byInput, byFilter], [value, value], tolerance, 'the inner products');
    });
  });

  it('reads options in every form', async () => {
    const x = tensor(normals(1, 2 * 5 * 7 * 3), [2, 5, 7, 3]);
    const w = tensor(normals(2, 4 * 3 * 3 * 3), [4, 3, 3, 3]);
    const alike: [Conv2dOptions, Conv2dOptions][] = [
      [{}, { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }],
      [
        { stride: 2, padding: 1 },
        { stride: [2, 2], padding: { top: 1, bottom: 1, left: 1, right: 1 } },
      ],
      [{ padding: [0, 2] }, { padding: { top: 0, bottom: 0, left: 2, right: 2 } }],
      [
        { padding: 2, dilation: 2 },
        { padding: [2, 2], dilation: [2, 2] },
      ],
    ];
    for (const [one, other] of alike) {
      const [a, b] = [conv2d(x, w, one), conv2d(x, w, other)];
      expect(a.shape).toEqual(b.shape);
      expect(await numbers(a)).toEqual(await numbers(b));
    }
    // diffusers pads its stride 2 convolutions below and to the right only.
    const down = conv2d(x, w, { stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } });
    expect(down.shape).toEqual([2, 2, 3, 4]);
  });
});

describe('mistakes in conv2d', () => {
  const x = tensor(normals(1, 2 * 5 * 7 * 3), [2, 5, 7, 3]);
  const w = tensor(normals(2, 4 * 3 * 3 * 3), [4, 3, 3, 3]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'channels that differ',
      () => conv2d(x, w.sliceAxis(3, 0, 2)),
      'SHAPE_MISMATCH',
      ['[2, 5, 7, 3]', '[4, 3, 3, 2]', 'channels equal'],
    ],
    [
      'an image without a batch',
      () => conv2d(x.reshape(10, 7, 3), w),
      'SHAPE_MISMATCH',
      ['[10, 7, 3]', 'batch'],
    ],
    ['a filter beyond the image', () => conv2d(x, w, { dilation: 3 }), 'SHAPE_MISMATCH', ['larger']],
    ['groups', () => conv2d(x, w, { groups: 3 }), 'BAD_ARGUMENT', ['groups 3', 'not supported']],
    ['a stride of 0', () => conv2d(x, w, { stride: 0 }), 'BAD_ARGUMENT', ['stride [0, 0]']],
    [
      'a fraction of a dilation',
      () => conv2d(x, w, { dilation: [1, 1.5] }),
      'BAD_ARGUMENT',
      ['dilation [1, 1.5]'],
    ],
    ['negative padding', () => conv2d(x, w, { padding: -1 }), 'BAD_ARGUMENT', ['padding', '-1']],
    ['integers', () => conv2d(x.cast('int32'), w), 'DTYPE_MISMATCH', ['conv2d', 'int32', 'float32']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, 'conv2d', ...parts);
  });
});
