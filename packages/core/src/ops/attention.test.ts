// Attention: values, gradients of both orders, the fused kernels against the composed form, stability, mistakes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { normals, seeds, size } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { expectAgreement } from '../testing/fused.js';
import { operand } from '../testing/operands.js';
import { testOperation } from '../testing/operation-suite.js';
import { element, fromIndices, type PlainArray } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { attention, composedAttention } from './attention.js';
import { tensor } from './creation.js';

function plainAttention(q: PlainArray, k: PlainArray, v: PlainArray, scale: number): PlainArray {
  const keys = k.shape[1];
  const headDim = k.shape[3];
  return fromIndices(q.shape, ([batch, query, head, channel]) => {
    const weights = Array.from({ length: keys }, (_, key) => {
      let score = 0;
      for (let d = 0; d < headDim; d++)
        score += element(q, [batch, query, head, d]) * element(k, [batch, key, head, d]);
      return Math.exp(scale * score);
    });
    const total = weights.reduce((a, b) => a + b);
    return weights.reduce((sum, w, key) => sum + (w / total) * element(v, [batch, key, head, channel]), 0);
  });
}

const cases = fc
  .record({
    batch: size(1, 2),
    queries: size(1, 5),
    keys: size(1, 5),
    heads: size(1, 3),
    headDim: size(1, 5),
    scale: fc.constantFrom(undefined, 0.3, -1),
    seed: seeds,
  })
  .map(({ batch, queries, keys, heads, headDim, scale, seed }) => ({
    options: scale === undefined ? {} : { scale },
    scale: scale ?? 1 / Math.sqrt(headDim),
    operands: [
      operand([batch, queries, heads, headDim], seed),
      operand([batch, keys, heads, headDim], seed + 1),
      operand([batch, keys, heads, headDim], seed + 2),
    ],
  }));

testOperation(
  'attention',
  cases.map(({ operands, options, scale }) => ({
    operands,
    apply: (q, k, v) => attention(q, k, v, options),
    plain: (q, k, v) => plainAttention(q, k, v, scale),
  })),
  { runs: 40, roundings: 100 },
);

describe.each(devices)('attention on %s', (deviceName) => {
  const device = useDevice(deviceName);

  it('agrees with its composed form in values and in derivatives of both orders', async () => {
    await expectAgreement(
      device(),
      cases.map(({ operands, options, scale }) => ({
        operands,
        fused: (q, k, v) => attention(q, k, v, options),
        composed: (q, k, v) => composedAttention(q, k, v, scale),
      })),
    );
  });

  it('is stable for large scores', async () => {
    const q = tensor([1000, 0, 0, 1000], [1, 2, 1, 2]);
    const v = tensor([1, 2, 3, 4], [1, 2, 1, 2]);
    expect(await numbers(attention(q, q, v))).toEqual([1, 2, 3, 4]);
  });
});

describe('mistakes in attention', () => {
  const q = tensor(normals(1, 24), [1, 3, 2, 4]);
  const k = tensor(normals(2, 16), [1, 2, 2, 4]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'keys and values of unlike shapes',
      () => attention(q, k, q),
      'SHAPE_MISMATCH',
      ['[1, 3, 2, 4]', '[1, 2, 2, 4]', 'headDim'],
    ],
    [
      'heads that differ',
      () => attention(q, k.reshape(1, 2, 4, 2), k.reshape(1, 2, 4, 2)),
      'SHAPE_MISMATCH',
      ['[1, 2, 4, 2]'],
    ],
    ['three axes', () => attention(q.squeeze(0), k, k), 'SHAPE_MISMATCH', ['[3, 2, 4]']],
    [
      'an infinite scale',
      () => attention(q, k, k, { scale: Number.POSITIVE_INFINITY }),
      'BAD_ARGUMENT',
      ['scale Infinity'],
    ],
    ['integers', () => attention(q, k, k.cast('int32')), 'DTYPE_MISMATCH', ['int32', 'float32']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, 'attention', ...parts);
  });
});
