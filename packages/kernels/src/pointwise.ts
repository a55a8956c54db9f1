/**
 * The table of pointwise operations: one row says how an operation is typed and how each family of devices writes it.
 * `javascript` and `wgsl` are templates over the arguments a, b, c. An int32 or uint32 result is wrapped to 32 bits by the
 * device that evaluates in float64.
 */

import type { DType } from './dtype.js';

/** How the result's dtype follows from the arguments': the same, or always one type. */
type ResultType = 'same' | DType;

interface Row {
  readonly arity: 1 | 2 | 3;
  readonly result: ResultType;
  /** dtypes the arguments may have; `where` takes its condition apart. */
  readonly accepts: 'float' | 'number' | 'integer' | 'bool' | 'any';
  readonly javascript: string;
  readonly wgsl: string;
}

const row = (
  arity: Row['arity'],
  accepts: Row['accepts'],
  result: ResultType,
  javascript: string,
  wgsl: string = javascript,
): Row => ({ arity, accepts, result, javascript, wgsl });

export const pointwiseTable = {
  // Arithmetic on float32, int32 and uint32. Integers wrap modulo 2^32. min and max of a NaN are NaN, and -0 is below 0.
  add: row(2, 'number', 'same', 'a + b'),
  sub: row(2, 'number', 'same', 'a - b'),
  mul: row(2, 'number', 'same', 'a * b'),
  min: row(2, 'number', 'same', 'Math.min(a, b)', 'min(a, b)'),
  max: row(2, 'number', 'same', 'Math.max(a, b)', 'max(a, b)'),
  neg: row(1, 'number', 'same', '-a', '-a'),
  abs: row(1, 'number', 'same', 'Math.abs(a)', 'abs(a)'),
  sign: row(1, 'number', 'same', 'Math.sign(a)', 'sign(a)'),

  // float32 only.
  div: row(2, 'float', 'same', 'a / b'),
  pow: row(2, 'float', 'same', 'Math.pow(a, b)', 'pow(a, b)'),
  floor: row(1, 'float', 'same', 'Math.floor(a)', 'floor(a)'),
  ceil: row(1, 'float', 'same', 'Math.ceil(a)', 'ceil(a)'),
  exp: row(1, 'float', 'same', 'Math.exp(a)', 'exp(a)'),
  log: row(1, 'float', 'same', 'Math.log(a)', 'log(a)'),
  log1p: row(1, 'float', 'same', 'Math.log1p(a)', 'dmpo_log1p(a)'),
  sqrt: row(1, 'float', 'same', 'Math.sqrt(a)', 'sqrt(a)'),
  rsqrt: row(1, 'float', 'same', '1 / Math.sqrt(a)', 'inverseSqrt(a)'),
  sin: row(1, 'float', 'same', 'Math.sin(a)', 'sin(a)'),
  cos: row(1, 'float', 'same', 'Math.cos(a)', 'cos(a)'),
  tanh: row(1, 'float', 'same', 'Math.tanh(a)', 'dmpo_tanh(a)'),
  erf: row(1, 'float', 'same', 'erf(a)', 'dmpo_erf(a)'),
  sigmoid: row(1, 'float', 'same', 'sigmoid(a)', 'dmpo_sigmoid(a)'),
  /** log(1 + exp(a)), stable for every a. */
  softplus: row(1, 'float', 'same', 'softplus(a)', 'dmpo_softplus(a)'),

  // Comparison, as in IEEE 754: every comparison with NaN is false but `ne`.
  lt: row(2, 'number', 'bool', 'a < b'),
  le: row(2, 'number', 'bool', 'a <= b'),
  eq: row(2, 'any', 'bool', 'a === b', 'a == b'),
  ne: row(2, 'any', 'bool', 'a !== b', 'a != b'),

  // Logic on bool, bits on int32 and uint32.
  and: row(2, 'bool', 'bool', 'a & b', 'a & b'),
  or: row(2, 'bool', 'bool', 'a | b', 'a | b'),
  not: row(1, 'bool', 'bool', '1 - a', '1 - a'),
  bitAnd: row(2, 'integer', 'same', 'a & b'),
  bitOr: row(2, 'integer', 'same', 'a | b'),
  bitXor: row(2, 'integer', 'same', 'a ^ b'),

  /** where(condition, a, b): the condition is bool, the others share a dtype, which is the result's. */
  where: row(3, 'any', 'same', 'a !== 0 ? b : c', 'select(c, b, a != 0u)'),

  // Conversion. Float to integer truncates towards zero, and beyond the integers gives the nearest; NaN gives 0. Integers keep
  // their bits. Anything non-zero is true, NaN too.
  toFloat32: row(1, 'any', 'float32', 'a', 'f32(a)'),
  toInt32: row(1, 'any', 'int32', 'a', 'i32(a)'),
  toUint32: row(1, 'any', 'uint32', 'a', 'u32(a)'),
  toBool: row(1, 'any', 'bool', 'a !== 0 ? 1 : 0', 'select(0u, 1u, a != 0)'),
  /** Rounds float32; the only operation whose result is float16. The only one that takes float16 is toFloat32. */
  toFloat16: row(1, 'float', 'float16', 'roundFloat16(a)', 'dmpo_round_float16(a)'),

  /**
   * Counter-based random numbers: Threefry-2x32-20 (Salmon et al., SC'11) of the counter block (c, 0) under the key (a, b),
   * all uint32. `randomBits` is the first word, `randomUniform` its upper 24 bits times 2^-24 (in [0, 1), exact in float32),
   * `randomNormal` a Box-Muller transform of both words in exact integer arithmetic: portable/random.ts defines it bit by bit.
   */
  randomBits: row(3, 'integer', 'uint32', 'randomBits(a, b, c)', 'dmpo_random_bits(a, b, c)'),
  randomUniform: row(3, 'integer', 'float32', 'randomUniform(a, b, c)', 'dmpo_random_uniform(a, b, c)'),
  randomNormal: row(3, 'integer', 'float32', 'randomNormal(a, b, c)', 'dmpo_random_normal(a, b, c)'),
} as const satisfies Record<string, Row>;

export type PointwiseOp = keyof typeof pointwiseTable;

/** Every operation. */
export const pointwiseOps = Object.keys(pointwiseTable) as readonly PointwiseOp[];

/** The dtype of `op` applied to arguments of these dtypes. */
export function resultType(op: PointwiseOp, args: readonly DType[]): DType {
  const { result }: Row = pointwiseTable[op];
  if (result !== 'same') return result;
  return args[op === 'where' ? 1 : 0] as DType;
}
