// Group normalisation with and without SiLU: values, gradients of both orders, and the fused kernels against the composed form.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { expectAgreement } from '../testing/fused.js';
import { operand } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { element, fold, fromIndices, type PlainArray, reshape } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';
import { composedGroupNorm, type GroupNormOptions, groupNorm } from './group-norm.js';

/** Large, so that it matters; and so that a row of equal numbers is not divided by almost nothing. */
const epsilon = 0.1;

function plainGroupNorm(
  x: PlainArray,
  scale: PlainArray,
  shift: PlainArray,
  { groups, activation }: GroupNormOptions,
): PlainArray {
  const [batch, channels] = [x.shape[0], x.shape[x.shape.length - 1]];
  const grouped = reshape(x, [batch, x.data.length / batch / channels, groups, channels / groups]);
  const mean = fold(grouped, [1, 3], (values) => values.reduce((a, b) => a + b) / values.length);
  const deviation = fold(grouped, [1, 3], (values) => {
    const average = values.reduce((a, b) => a + b) / values.length;
    return Math.sqrt(values.reduce((sum, a) => sum + (a - average) ** 2, 0) / values.length + epsilon);
  });
  return fromIndices(x.shape, (index) => {
    const channel = index[index.length - 1];
    const group = [index[0], Math.floor((channel * groups) / channels)];
    const normal = (element(x, index) - element(mean, group)) / element(deviation, group);
    const y = normal * scale.data[channel] + shift.data[channel];
    return activation === 'silu' ? y / (1 + Math.exp(-y)) : y;
  });
}

const cases = fc
  .record({
    batch: size(1, 3),
    positions: fc.array(size(1, 4), { maxLength: 2 }),
    groups: size(1, 3),
    width: size(2, 4),
    silu: fc.boolean(),
    seed: seeds,
  })
  .map(({ batch, positions, groups, width, silu, seed }) => {
    const channels = groups * width;
    const options: GroupNormOptions = silu ? { groups, epsilon, activation: 'silu' } : { groups, epsilon };
    return {
      options,
      operands: [
        operand([batch, ...positions, channels], seed),
        operand([channels], seed + 1),
        operand([channels], seed + 2),
      ],
    };
  });

testOperation(
  'groupNorm',
  cases.map(({ operands, options }) => ({
    operands,
    apply: (x, scale, shift) => groupNorm(x, scale, shift, options),
    plain: (x, scale, shift) => plainGroupNorm(x, scale, shift, options),
  })),
  { runs: 40, roundings: 400 },
);

describe.each(devices)('groupNorm on %s', (deviceName) => {
  const device = useDevice(deviceName);

  it('agrees with its composed form in values and in derivatives of both orders', async () => {
    await expectAgreement(
      device(),
      cases.map(({ operands, options }) => ({
        operands,
        fused: (x, scale, shift) => groupNorm(x, scale, shift, options),
        composed: (x, scale, shift) => composedGroupNorm(x, scale, shift, options),
      })),
    );
  });

  it('scales by 1 and shifts by 0 unless told otherwise', async () => {
    const x = tensor([1, 3, -5, 5], [1, 1, 4]);
    const expected = [-1, 1, -1, 1];
    (await numbers(groupNorm(x, undefined, undefined, { groups: 2 }))).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 4);
    });
  });
});

describe('mistakes in groupNorm', () => {
  const x = tensor(new Float32Array(12), [1, 2, 6]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'groups that do not divide the channels',
      () => groupNorm(x, undefined, undefined, { groups: 4 }),
      'BAD_ARGUMENT',
      ['4 groups', '[1, 2, 6]', 'divide'],
    ],
    ['no groups', () => groupNorm(x, undefined, undefined, { groups: 0 }), 'BAD_ARGUMENT', ['0 groups']],
    [
      'a vector',
      () => groupNorm(tensor([1, 2]), undefined, undefined, { groups: 1 }),
      'BAD_ARGUMENT',
      ['[2]'],
    ],
    [
      'a scale of another size',
      () => groupNorm(x, tensor([1, 2]), undefined, { groups: 2 }),
      'SHAPE_MISMATCH',
      ['[1, 2, 6]', '[2]', '[6]'],
    ],
    [
      'integers',
      () => groupNorm(x.cast('int32'), undefined, undefined, { groups: 2 }),
      'DTYPE_MISMATCH',
      ['int32', 'float32'],
    ],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, 'groupNorm', ...parts);
  });
});
