// Pointwise operations: values, gradients and second derivatives over random shapes, broadcasts and views; integers, logic, casts.
import { elementCount, type PointwiseOp } from '@dmpo/kernels';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import type { Tensor } from '../tensor.js';
import { Choices, normals, seeds } from '../testing/data.js';
import { expectError } from '../testing/errors.js';
import { broadcastable, operand, shapes } from '../testing/operands.js';
import { type OperationCase, type OperationOptions, testOperation } from '../testing/operation-suite.js';
import { zip } from '../testing/plain.js';
import { numbers } from '../testing/read.js';
import { tensor } from './creation.js';
import { pointwise, where } from './pointwise.js';

type Values = (seed: number, elements: number) => ArrayLike<number>;

const wide: Values = (seed, elements) => normals(seed, elements).map((x) => 3 * x);
/** At least 1/4 away from 0, where some operations have no derivative. */
const awayFromZero: Values = (seed, elements) =>
  normals(seed, elements).map((x) => x + (x < 0 ? -0.25 : 0.25));
const positive: Values = (seed, elements) => normals(seed, elements).map((x) => Math.abs(x) + 0.25);
/** At least 1/8 away from every integer. */
const betweenIntegers: Values = (seed, elements) =>
  normals(seed, elements).map((x) => Math.floor(4 * x) + 0.125 + 0.75 * (Math.abs(x) % 1));

/** An operation of `arity` operands that broadcast to a random shape. Padding reads zeros, which not all values allow. */
function cases(
  arity: number,
  values: Values,
  apply: (...operands: Tensor[]) => Tensor,
  plain: (...values: number[]) => number,
): fc.Arbitrary<OperationCase> {
  const zerosAllowed = values === normals || values === wide;
  const movements = [
    'permute',
    'slice',
    'broadcast',
    'reshape',
    ...(zerosAllowed ? ['pad' as const] : []),
  ] as const;
  return fc.record({ shape: shapes(), seed: seeds }).map(({ shape, seed }) => {
    const choices = new Choices(seed);
    const operands = Array.from({ length: arity }, (_, i) =>
      operand(arity === 1 ? shape : broadcastable(shape, choices), seed + i, { values, movements }),
    );
    return { operands, apply, plain: (...arrays) => zip(plain, ...arrays) };
  });
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The integral of the Gaussian by Gauss-Legendre quadrature in 64 panels of five points. */
function erf(x: number): number {
  const half = Math.min(Math.abs(x), 7) / 128;
  const points = [
    [0, 0.5688888888888889],
    [0.5384693101056831, 0.47862867049936647],
    [0.906179845938664, 0.23692688505618908],
  ];
  let sum = 0;
  for (let middle = half; middle < 128 * half; middle += 2 * half)
    for (const [at, weight] of points)
      for (const t of at === 0 ? [middle] : [middle - at * half, middle + at * half])
        sum += weight * Math.exp(-t * t);
  return (Math.sign(x) * 2 * half * sum) / Math.sqrt(Math.PI);
}

type Row = [
  name: string,
  values: Values,
  apply: (...operands: Tensor[]) => Tensor,
  plain: (...values: number[]) => number,
  options?: OperationOptions,
];

const once: OperationOptions = { derivatives: 1 };
const never: OperationOptions = { derivatives: 0 };

const rows: Row[] = [
  ['add', normals, (a, b) => a.add(b), (a, b) => a + b],
  ['sub', normals, (a, b) => a.sub(b), (a, b) => a - b],
  ['mul', normals, (a, b) => a.mul(b), (a, b) => a * b],
  ['div', awayFromZero, (a, b) => a.div(b), (a, b) => a / b],
  ['pow', positive, (a, b) => a.pow(b), (a, b) => a ** b],
  ['minimum', normals, (a, b) => a.minimum(b), (a, b) => Math.min(a, b), once],
  ['maximum', normals, (a, b) => a.maximum(b), (a, b) => Math.max(a, b), once],
  ['neg', normals, (a) => a.neg(), (a) => -a],
  ['abs', awayFromZero, (a) => a.abs(), (a) => Math.abs(a)],
  ['sign', awayFromZero, (a) => a.sign(), (a) => Math.sign(a)],
  ['floor', betweenIntegers, (a) => a.floor(), (a) => Math.floor(a)],
  ['ceil', betweenIntegers, (a) => a.ceil(), (a) => Math.ceil(a)],
  ['square', normals, (a) => a.square(), (a) => a * a],
  ['reciprocal', awayFromZero, (a) => a.reciprocal(), (a) => 1 / a],
  ['clamp', awayFromZero, (a) => a.clamp(-0.2, 0.2), (a) => Math.max(-0.2, Math.min(0.2, a))],
  ['exp', normals, (a) => a.exp(), (a) => Math.exp(a)],
  ['log', positive, (a) => a.log(), (a) => Math.log(a)],
  ['log1p', positive, (a) => a.log1p(), (a) => Math.log1p(a)],
  ['sqrt', positive, (a) => a.sqrt(), (a) => Math.sqrt(a)],
  ['rsqrt', positive, (a) => a.rsqrt(), (a) => 1 / Math.sqrt(a)],
  ['sin', wide, (a) => a.sin(), (a) => Math.sin(a)],
  ['cos', wide, (a) => a.cos(), (a) => Math.cos(a)],
  ['tanh', wide, (a) => a.tanh(), (a) => Math.tanh(a)],
  ['erf', wide, (a) => a.erf(), erf],
  ['sigmoid', wide, (a) => a.sigmoid(), sigmoid],
  ['softplus', wide, (a) => a.softplus(), (a) => Math.log(1 + Math.exp(a))],
  ['logSigmoid', wide, (a) => a.logSigmoid(), (a) => Math.log(sigmoid(a))],
  ['silu', wide, (a) => a.silu(), (a) => a * sigmoid(a)],
  ['relu', awayFromZero, (a) => a.relu(), (a) => Math.max(a, 0)],
  ['gelu', wide, (a) => a.gelu(), (a) => 0.5 * a * (1 + erf(a / Math.sqrt(2)))],
  [
    'gelu by tanh',
    wide,
    (a) => a.gelu('tanh'),
    (a) => 0.5 * a * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3))),
  ],
  ['where', normals, (a, b, c) => where(a.lt(b), b.mul(c), c), (a, b, c) => (a < b ? b * c : c)],
  ['lt', normals, (a, b) => a.lt(b), (a, b) => +(a < b), never],
  ['le', normals, (a, b) => a.le(b), (a, b) => +(a <= b), never],
  ['gt', normals, (a, b) => a.gt(b), (a, b) => +(a > b), never],
  ['ge', normals, (a, b) => a.ge(b), (a, b) => +(a >= b), never],
  ['a number on the left', awayFromZero, (a) => pointwise('div', 3, a), (a) => 3 / a],
];

for (const [name, values, apply, plain, options] of rows)
  testOperation(name, cases(apply.length, values, apply, plain), options);

describe.each(devices)('pointwise operations on %s', (deviceName) => {
  useDevice(deviceName);

  const extremes = [0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31), 123456789, -987654321];
  const pairs = extremes.flatMap((a) => extremes.map((b) => [a, b]));

  it.each<[PointwiseOp, (a: number, b: number) => number | bigint]>([
    ['add', (a, b) => BigInt(a) + BigInt(b)],
    ['sub', (a, b) => BigInt(a) - BigInt(b)],
    ['mul', (a, b) => BigInt(a) * BigInt(b)],
    ['min', Math.min],
    ['max', Math.max],
    ['bitAnd', (a, b) => a & b],
    ['bitOr', (a, b) => a | b],
    ['bitXor', (a, b) => a ^ b],
    ['lt', (a, b) => +(a < b)],
    ['le', (a, b) => +(a <= b)],
    ['eq', (a, b) => +(a === b)],
    ['ne', (a, b) => +(a !== b)],
  ])('computes %s of integers modulo 2^32', async (op, exact) => {
    const signed = pairs.map(([a, b]) => Number(BigInt.asIntN(32, BigInt(exact(a, b)))));
    const columns = [0, 1].map((i) => pairs.map((pair) => pair[i]));
    const [a, b] = columns.map((column) => tensor(Int32Array.from(column)));
    expect(await numbers(pointwise(op, a, b))).toEqual(signed);

    const [u, v] = columns.map((column) => Uint32Array.from(column));
    const unsigned = Array.from(u, (x, i) => Number(BigInt.asUintN(32, BigInt(exact(x, v[i])))));
    expect(await numbers(pointwise(op, tensor(u), tensor(v)))).toEqual(unsigned);
  });

  it('computes on bool by the rules of logic', async () => {
    const a = tensor(Uint8Array.of(0, 0, 1, 1));
    const b = tensor(Uint8Array.of(0, 1, 0, 1));
    expect(await numbers(a.logicalAnd(b))).toEqual([0, 0, 0, 1]);
    expect(await numbers(a.logicalOr(b))).toEqual([0, 1, 1, 1]);
    expect(await numbers(a.logicalNot())).toEqual([1, 1, 0, 0]);
    expect(await numbers(a.ne(b))).toEqual([0, 1, 1, 0]);
    expect(await numbers(where(a, b, b.logicalNot()))).toEqual([1, 0, 0, 1]);
  });

  it('compares NaN as different from everything', async () => {
    const x = tensor([Number.NaN, 1]);
    for (const compare of [x.lt(x), x.gt(x), x.eq(Number.NaN)])
      expect(await numbers(compare)).toEqual([0, 0]);
    for (const compare of [x.le(x), x.ge(x), x.eq(x)]) expect(await numbers(compare)).toEqual([0, 1]);
    expect(await numbers(x.ne(x))).toEqual([1, 0]);
  });

  it('casts by truncation, and to bool by difference from 0', async () => {
    const x = tensor([-2.75, -0.5, 0, 0.5, 3.999]);
    expect(await numbers(x.cast('int32'))).toEqual([-2, 0, 0, 0, 3].map((value) => value + 0));
    expect(await numbers(x.cast('bool'))).toEqual([1, 1, 0, 1, 1]);
    expect(await numbers(tensor(Int32Array.of(-1, 5)).cast('uint32'))).toEqual([2 ** 32 - 1, 5]);
    expect(await numbers(tensor(Int32Array.of(-7, 0)).cast('float32'))).toEqual([-7, 0]);
    expect(await numbers(tensor(Uint8Array.of(0, 9)).cast('float32'))).toEqual([0, 1]);
    expect(await numbers(tensor(Uint32Array.of(4e9)).cast('float32'))).toEqual([4e9]);
  });

  it('stays finite and exact where exponentials overflow', async () => {
    const x = tensor([-1e4, -100, 100, 1e4]);
    const [, small, large] = [0, Math.exp(-100), 100];
    const close = (actual: number[], expected: number[]) =>
      actual.forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]) + 1e-40);
      });
    close(await numbers(x.softplus()), [0, small, large, 1e4]);
    close(await numbers(x.logSigmoid()), [-1e4, -100, -small, 0]);
    close(await numbers(x.sigmoid()), [0, small, 1, 1]);
    close(await numbers(x.silu()), [0, -100 * small, 100, 1e4]);
    close(await numbers(grad(x.logSigmoid().sum(), x)), [1, 1, small, 0]);
  });

  it('shares the gradient of a tie', async () => {
    const x = tensor([1, 2]);
    const y = tensor([1, 3]);
    const [dx, dy] = grad(x.maximum(y).sum(), [x, y]);
    expect(await numbers(dx)).toEqual([0.5, 0]);
    expect(await numbers(dy)).toEqual([0.5, 1]);
    expect(await numbers(grad(x.maximum(x).sum(), x))).toEqual([1, 1]);
  });

  it('differentiates a power of numbers that are not positive', async () => {
    const x = tensor([-2, 0, 3]);
    expect(await numbers(grad(x.pow(2).sum(), x))).toEqual([-4, 0, 6]);
    expect(await numbers(grad(x.pow(1).sum(), x))).toEqual([1, 1, 1]);
    expect((await numbers(grad(x.pow(0).sum(), x))).map((value) => value + 0)).toEqual([0, 0, 0]);
    const exponent = tensor([2, 2, 2]);
    const [, , last] = await numbers(grad(x.pow(exponent).sum(), exponent));
    expect(last).toBeCloseTo(9 * Math.log(3), 5);
  });

  it('takes numbers of the dtype of their tensor', async () => {
    const x = tensor(Int32Array.of(1, 2));
    expect(x.add(3).dtype).toBe('int32');
    expect(await numbers(x.mul(-2).add(3))).toEqual([1, -1]);
    await expectError(() => x.mul(0.5), 'DTYPE_MISMATCH', 'mul', 'int32', '0.5');
  });
});

describe('mistakes in pointwise operations', () => {
  const a = tensor(normals(1, 6), [2, 3]);
  const integer = tensor(Int32Array.of(1, 2, 3));

  it.each<[string, () => unknown, string, string[]]>([
    [
      'shapes that do not broadcast',
      () => a.add(a.transpose()),
      'SHAPE_MISMATCH',
      ['add', '[2, 3]', '[3, 2]'],
    ],
    ['mixed dtypes', () => a.mul(integer), 'DTYPE_MISMATCH', ['mul', 'float32', 'int32', 'cast']],
    [
      'an elementary function of integers',
      () => integer.exp(),
      'DTYPE_MISMATCH',
      ['exp', 'int32', 'float32'],
    ],
    ['arithmetic on bool', () => a.lt(0).add(a.lt(1)), 'DTYPE_MISMATCH', ['add', 'bool']],
    ['logic on numbers', () => a.logicalAnd(a), 'DTYPE_MISMATCH', ['and', 'float32', 'bool']],
    ['a condition of numbers', () => where(a, a, a), 'DTYPE_MISMATCH', ['where', 'bool']],
    ['numbers alone', () => pointwise('add', 1, 2), 'BAD_ARGUMENT', ['add']],
    ['an empty range', () => a.clamp(1, -1), 'BAD_ARGUMENT', ['clamp', '1', '-1']],
    ['a range that is not a number', () => a.clamp(Number.NaN, 1), 'BAD_ARGUMENT', ['clamp', 'NaN']],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });

  it('knows the shape and dtype of a result before anything is computed', () => {
    const sum = a.add(tensor([1, 2, 3]));
    expect([sum.shape, sum.dtype, elementCount(sum.shape)]).toEqual([[2, 3], 'float32', 6]);
    expect(a.lt(0).dtype).toBe('bool');
    expect(String(sum)).toBe('Tensor(float32 [2, 3])');
  });
});
