/** What every pointwise operation gives: float64 arithmetic and `Math`, over wide ranges and special values. */

import type { Device } from '../device.js';
import type { DType } from '../dtype.js';
import { roundFloat16 } from '../float16.js';
import { kernelOutputs, type MapKernel } from '../kernel.js';
import type { PointwiseOp } from '../pointwise.js';
import { randomBits, randomNormal, randomUniform } from '../portable/random.js';
import { expectClose } from './allclose.js';
import { ExpressionBuilder } from './expression-builder.js';
import { bits, normals, spread } from './random-data.js';
import { runKernel } from './run-kernel.js';

/** Fails unless the device computes the operation as accurately as it has to, for operands of every dtype it takes. */
export async function expectPointwise(device: Device, op: PointwiseOp): Promise<void> {
  for (const test of tests[op]) await check(device, op, test);
}

interface OperationTest {
  /** What the operation is, written independently of the table of operations. */
  readonly expected: (a: number, b: number, c: number) => number;
  /** Arguments: one array per argument, all of one length. */
  readonly data: readonly ArrayLike<number>[];
  readonly dtypes: readonly DType[];
  /** Units in the last place of the float32 result that may be lost; none for what IEEE 754 rounds correctly. */
  readonly ulps?: number;
  /** Absolute difference allowed besides, for functions that are accurate only so far (sine of a large number). */
  readonly absolute?: number;
}

const SMALLEST_NORMAL = 2 ** -126;
const { POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: negativeInf, NaN: nan } = Number;
const specials = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2.5,
  -2.5,
  inf,
  negativeInf,
  nan,
  3.4e38,
  -3.4e38,
  1.2e-38,
  16777217,
];
const wide = [...specials, ...normals(1, 200), ...magnitudes(-30, 30), ...magnitudes(-30, 30).map((x) => -x)];
const moderate = [...specials, ...spread(401, -20, 20), ...spread(101, -120, 120)];
const positive = [0, 1, inf, nan, ...magnitudes(-37, 38), ...spread(301, 0.25, 4)];
/** Odd multiples of pi/4, where one quadrant ends and the next begins. */
const diagonals = Array.from({ length: 600 }, (_, i) => (2 * i - 599) * (Math.PI / 4));
const angles = [
  0,
  -0,
  inf,
  negativeInf,
  nan,
  ...spread(601, -10, 10),
  ...spread(401, -1000, 1000),
  ...diagonals,
];
const pairs = crossed(specials, wide);
const whole = [0, 1, 2, 5, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, ...bits(2, 100)];

const float = (
  expected: OperationTest['expected'],
  data: number[],
  ulps = 0,
  absolute = 0,
): OperationTest => ({
  expected,
  data: [data],
  dtypes: ['float32'],
  ulps,
  absolute,
});
const floats = (expected: OperationTest['expected'], data = pairs, ulps = 0): OperationTest => ({
  expected,
  data,
  dtypes: ['float32', 'float32'],
  ulps,
});
const integers = (expected: OperationTest['expected'], arity: 1 | 2): OperationTest[] =>
  (['int32', 'uint32'] as const).map((dtype) => {
    const store = dtype === 'int32' ? (x: number) => x | 0 : (x: number) => x >>> 0;
    return {
      expected: (a, b) => store(expected(a, b, 0)),
      data: (arity === 1 ? [whole] : crossed(whole.slice(0, 20), whole)).map((column) => column.map(store)),
      dtypes: new Array(arity).fill(dtype),
    };
  });
const booleans = (expected: OperationTest['expected'], data: number[][]): OperationTest => ({
  expected,
  data,
  dtypes: data.map(() => 'bool'),
});
const random = (expected: OperationTest['expected']): OperationTest => ({
  expected,
  data: [bits(4, 300), bits(5, 300), Uint32Array.from({ length: 300 }, (_, i) => (i < 200 ? i : -i))],
  dtypes: ['uint32', 'uint32', 'uint32'],
});
const comparison = (expected: (a: number, b: number) => boolean): OperationTest[] => [
  floats((a, b) => +expected(a, b)),
  // Wrapping 0 or 1 to 32 bits changes nothing.
  ...integers((a, b) => +expected(a, b), 2),
];

/** What each operation is expected to give, on data that reaches its special cases. */
const tests: Record<PointwiseOp, readonly OperationTest[]> = {
  add: [floats((a, b) => a + b), ...integers((a, b) => a + b, 2)],
  sub: [floats((a, b) => a - b), ...integers((a, b) => a - b, 2)],
  mul: [floats((a, b) => a * b), ...integers((a, b) => Number(BigInt.asIntN(32, BigInt(a) * BigInt(b))), 2)],
  min: [floats((a, b) => Math.min(a, b)), ...integers((a, b) => Math.min(a, b), 2)],
  max: [floats((a, b) => Math.max(a, b)), ...integers((a, b) => Math.max(a, b), 2)],
  neg: [float((a) => -a, wide), ...integers((a) => -a, 1)],
  abs: [float((a) => Math.abs(a), wide), ...integers((a) => Math.abs(a), 1)],
  sign: [float((a) => Math.sign(a), wide), ...integers((a) => Math.sign(a), 1)],
  div: [floats((a, b) => a / b)],
  pow: [
    floats(
      (a, b) => a ** b,
      crossed([0, 0.5, 1, 2, 3.7, 1e-3, 250, inf], [...spread(81, -10, 10), 0, 1, 2]),
      8,
    ),
    floats((a, b) => a ** b, crossed([-2, -0.5, -1, -0], [-3, -2, -1, 0, 1, 2, 3, 0.5]), 8),
    floats(
      (a, b) => a ** b,
      [
        [nan, 2, nan, 1.0001, 0.9999],
        [2, nan, 0, 1e5, 1e5],
      ],
      8,
    ),
  ],
  floor: [float((a) => Math.floor(a), wide)],
  ceil: [float((a) => Math.ceil(a), wide)],
  exp: [float((a) => Math.exp(a), moderate, 3)],
  log: [float((a) => Math.log(a), [...positive, -1], 3)],
  log1p: [float((a) => Math.log1p(a), [...positive, -1, -2, -0.5, ...magnitudes(-30, -1).map((x) => -x)], 4)],
  sqrt: [float((a) => Math.sqrt(a), [...positive, -1, -0])],
  rsqrt: [float((a) => 1 / Math.sqrt(a), [...positive, -1], 2)],
  sin: [float((a) => Math.sin(a), angles, 2, 2 ** -22)],
  cos: [float((a) => Math.cos(a), angles, 2, 2 ** -22)],
  tanh: [float((a) => Math.tanh(a), [...moderate, ...magnitudes(-30, 0)], 5)],
  erf: [float(errorFunction, [...specials, ...spread(401, -4, 4), ...magnitudes(-30, 0)], 6)],
  sigmoid: [float((a) => (a > 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a))), moderate, 5)],
  softplus: [float((a) => (a > 0 ? a + Math.log1p(Math.exp(-a)) : Math.log1p(Math.exp(a))), moderate, 5)],
  lt: comparison((a, b) => a < b),
  le: comparison((a, b) => a <= b),
  eq: [...comparison((a, b) => a === b), booleans((a, b) => +(a === b), crossed([0, 1], [0, 1]))],
  ne: [...comparison((a, b) => a !== b), booleans((a, b) => +(a !== b), crossed([0, 1], [0, 1]))],
  and: [booleans((a, b) => +(a !== 0 && b !== 0), crossed([0, 1], [0, 1]))],
  or: [booleans((a, b) => +(a !== 0 || b !== 0), crossed([0, 1], [0, 1]))],
  not: [booleans((a) => +(a === 0), [[0, 1, 1, 0, 1]])],
  bitAnd: integers((a, b) => Number(BigInt.asIntN(32, BigInt(a) & BigInt(b))), 2),
  bitOr: integers((a, b) => Number(BigInt.asIntN(32, BigInt(a) | BigInt(b))), 2),
  bitXor: integers((a, b) => Number(BigInt.asIntN(32, BigInt(a) ^ BigInt(b))), 2),
  where: [
    {
      expected: (condition, a, b) => (condition === 1 ? a : b),
      data: [wide.map((_, i) => (i % 3 === 0 ? 1 : 0)), wide, wide.toReversed()],
      dtypes: ['bool', 'float32', 'float32'],
    },
    {
      expected: (condition, a, b) => (condition === 1 ? a : b) | 0,
      data: [whole.map((_, i) => i % 2), Int32Array.from(whole), Int32Array.from(whole.toReversed())],
      dtypes: ['bool', 'int32', 'int32'],
    },
  ],
  toFloat32: [
    { expected: Math.fround, data: [Int32Array.from(whole)], dtypes: ['int32'] },
    { expected: Math.fround, data: [whole], dtypes: ['uint32'] },
    booleans((a) => a, [[0, 1, 1]]),
    float((a) => a, wide),
  ],
  toInt32: [
    float(
      (a) => Math.trunc(a) + 0,
      [0, 0.9, -0.9, 1.5, -1.5, 16777216, -2147483648, 2147483520, ...normals(6, 50)],
    ),
    float((a) => (a > 0 ? 2147483647 : -2147483648), [2147483648, 3e9, 1e30, inf, -3e9, -1e30, negativeInf]),
    float(() => 0, [nan, -0, 1e-40]),
    { expected: (a) => a | 0, data: [whole], dtypes: ['uint32'] },
    booleans((a) => a, [[0, 1]]),
  ],
  toUint32: [
    float(
      (a) => Math.trunc(a),
      [0, 0.9, 1.5, 16777216, 2147483648, 4294967040, ...normals(7, 50).map(Math.abs)],
    ),
    float((a) => (a > 0 ? 4294967295 : 0), [4294967296, 1e30, inf, -1, -0.5, -1e30, negativeInf]),
    float(() => 0, [nan, -0, 1e-40]),
    { expected: (a) => a >>> 0, data: [Int32Array.from(whole)], dtypes: ['int32'] },
    booleans((a) => a, [[0, 1]]),
  ],
  toFloat16: [
    float(roundFloat16, wide),
    float(roundFloat16, [
      65504,
      65519.99609375,
      65520,
      -65520,
      1e30,
      2 ** -24,
      2 ** -25,
      -(2 ** -25),
      3e-8,
      inf,
      nan,
    ]),
    float(
      roundFloat16,
      Array.from(bits(6, 500), (word) => (word / 2 ** 32 - 0.5) * 2 ** ((word % 50) - 28)),
    ),
  ],
  toBool: [
    float((a) => (a === 0 ? 0 : 1), wide),
    { expected: (a) => (a === 0 ? 0 : 1), data: [Int32Array.from(whole)], dtypes: ['int32'] },
    { expected: (a) => (a === 0 ? 0 : 1), data: [whole], dtypes: ['uint32'] },
  ],
  randomBits: [random(randomBits)],
  randomUniform: [random(randomUniform)],
  randomNormal: [random(randomNormal)],
};

/**
 * Units in the last place that WGSL lets a GPU lose where IEEE 754 rounds correctly: section "Accuracy of Concrete Floating
 * Point Expressions" of its specification. The square root inherits the errors of 1 / inverseSqrt(x).
 */
const wgslUlps: Partial<Record<PointwiseOp, number>> = { div: 2.5, sqrt: 4.5 };

async function check(device: Device, op: PointwiseOp, test: OperationTest): Promise<void> {
  const { dtypes, absolute = 0 } = test;
  const ulps = Math.max(test.ulps ?? 0, (device.name === 'webgpu' && wgslUlps[op]) || 0);
  const columns = test.data.map((column, i) =>
    dtypes[i] === 'float32' ? Float32Array.from(column) : column,
  );
  const count = columns[0].length;
  const e = new ExpressionBuilder([count]);
  const expression = e.build(e.apply(op, ...dtypes.map((dtype, input) => e.load(input, { dtype }))));
  const kernel: MapKernel = { kind: 'map', inputs: dtypes, scalars: [], shape: [count], expression };
  const [result] = await runKernel(device, kernel, columns);

  const float = kernelOutputs(kernel)[0].dtype === 'float32';
  const round = float ? Math.fround : (value: number) => value;
  const expected = Array.from({ length: count }, (_, i) => {
    const [a, b, c] = columns.map((column) => column[i]);
    return round(test.expected(a, b, c));
  });
  // Results below the smallest normal number may be flushed to zero.
  const tolerance = (value: number) =>
    float ? ulps * ulp(value) + absolute + (Math.abs(value) < SMALLEST_NORMAL ? SMALLEST_NORMAL : 0) : 0;
  expectClose(Array.from(result, round), expected, tolerance, `${op} of ${dtypes.join(', ')}`);
}

/** Distance from a float32 number to the next one. */
function ulp(value: number): number {
  if (!Number.isFinite(value)) return 0;
  return Math.max(2 ** -149, 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23));
}

/** One number of each decimal magnitude. */
function magnitudes(low: number, high: number): number[] {
  return Array.from({ length: high - low + 1 }, (_, i) => (1 + 0.17 * (i % 5)) * 10 ** (low + i));
}

/** Columns of all pairs of the two lists. */
function crossed(left: ArrayLike<number>, right: ArrayLike<number>): [number[], number[]] {
  const rows = Array.from(left).flatMap((a) => Array.from(right, (b) => [a, b]));
  return [rows.map(([a]) => a), rows.map(([, b]) => b)];
}

/** Simpson's rule on 2/sqrt(pi) exp(-t^2), from 0 to a. */
function errorFunction(a: number): number {
  if (Math.abs(a) > 6) return Math.sign(a);
  const steps = 1000;
  let sum = 1 + Math.exp(-a * a);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 0 ? 2 : 4) * Math.exp(-(((a * i) / steps) ** 2));
  return (2 / Math.sqrt(Math.PI)) * ((a / steps) * (sum / 3));
}
