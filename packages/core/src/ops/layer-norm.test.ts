// Layer normalisation: values, gradients of both orders, and the fused kernels against the composed form.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { expectAgreement } from '../testing/fused.js';
import { operand } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { fold, type PlainArray, zip } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';
import { composedLayerNorm, layerNorm } from './layer-norm.js';

/** Large, so that it matters; and so that a row of equal numbers is not divided by almost nothing. */
const epsilon = 0.1;

function plainLayerNorm(x: PlainArray, scale: PlainArray, shift: PlainArray): PlainArray {
  const axis = x.shape.length - 1;
  const mean = (array: PlainArray) =>
    fold(array, [axis], (values) => values.reduce((a, b) => a + b) / values.length, true);
  const centred = zip((a, average) => a - average, x, mean(x));
  const variance = mean(zip((a) => a * a, centred));
  return zip((a, v, s, t) => (a / Math.sqrt(v + epsilon)) * s + t, centred, variance, scale, shift);
}

const cases = fc
  .record({ rows: fc.array(size(1, 4), { maxLength: 3 }), channels: size(2, 8), seed: seeds })
  .map(({ rows, channels, seed }) => ({
    operands: [
      operand([...rows, channels], seed),
      operand([channels], seed + 1),
      operand([channels], seed + 2),
    ],
  }));

testOperation(
  'layerNorm',
  cases.map(({ operands }) => ({
    operands,
    apply: (x, scale, shift) => layerNorm(x, scale, shift, { epsilon }),
    plain: plainLayerNorm,
  })),
  { runs: 40, roundings: 400 },
);

describe.each(devices)('layerNorm on %s', (deviceName) => {
  const device = useDevice(deviceName);

  it('agrees with its composed form in values and in derivatives of both orders', async () => {
    await expectAgreement(
      device(),
      cases.map(({ operands }) => ({
        operands,
        fused: (x, scale, shift) => layerNorm(x, scale, shift, { epsilon }),
        composed: (x, scale, shift) => composedLayerNorm(x, scale, shift, { epsilon }),
      })),
    );
  });

  it('scales by 1 and shifts by 0 unless told otherwise', async () => {
    const expected = [-1, 1, -1, 1];
    (await numbers(layerNorm(tensor([1, 3, -5, 5], [2, 2])))).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 4);
    });
  });
});

describe('mistakes in layerNorm', () => {
  const x = tensor(new Float32Array(12), [2, 6]);

  it.each<[string, () => unknown, string, string[]]>([
    ['a scalar', () => layerNorm(tensor(1)), 'SHAPE_MISMATCH', ['[]', 'axis']],
    [
      'a scale of another size',
      () => layerNorm(x, tensor([1, 2])),
      'SHAPE_MISMATCH',
      ['[2, 6]', '[2]', '[6]'],
    ],
    ['a shift of another rank', () => layerNorm(x, undefined, x), 'SHAPE_MISMATCH', ['[2, 6]', '[6]']],
    ['integers', () => layerNorm(x.cast('int32')), 'DTYPE_MISMATCH', ['int32', 'float32']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, 'layerNorm', ...parts);
  });
});
