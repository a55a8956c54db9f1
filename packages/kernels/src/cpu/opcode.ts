/** Which instruction of the WebAssembly kernels does an operation, given the dtype of its arguments. */

import type { DType } from '../dtype.js';
import type { PointwiseOp } from '../pointwise.js';
import * as code from './assembly/opcodes.js';

/** Opcode for float32, int32, uint32 and bool arguments, in this order; one number where they are all the same. */
type Row = number | readonly [float32: number, int32: number, uint32: number, bool: number];

/** Not an instruction: the value is used as it is, since its bits do not change. */
export const SAME_BITS = -1;

/** The operation does not take this dtype. */
const NONE = -2;

const rows: Record<Exclude<PointwiseOp, 'toFloat16'>, Row> = {
  add: [code.ADD_F, code.ADD_I, code.ADD_I, NONE],
  sub: [code.SUB_F, code.SUB_I, code.SUB_I, NONE],
  mul: [code.MUL_F, code.MUL_I, code.MUL_I, NONE],
  min: [code.MIN_F, code.MIN_S, code.MIN_U, NONE],
  max: [code.MAX_F, code.MAX_S, code.MAX_U, NONE],
  neg: [code.NEG_F, code.NEG_I, code.NEG_I, NONE],
  abs: [code.ABS_F, code.ABS_S, SAME_BITS, NONE],
  sign: [code.SIGN_F, code.SIGN_S, code.SIGN_U, NONE],

  div: code.DIV_F,
  pow: code.POW_F,
  floor: code.FLOOR_F,
  ceil: code.CEIL_F,
  exp: code.EXP_F,
  log: code.LOG_F,
  log1p: code.LOG1P_F,
  sqrt: code.SQRT_F,
  rsqrt: code.RSQRT_F,
  sin: code.SIN_F,
  cos: code.COS_F,
  tanh: code.TANH_F,
  erf: code.ERF_F,
  sigmoid: code.SIGMOID_F,
  softplus: code.SOFTPLUS_F,

  lt: [code.LT_F, code.LT_S, code.LT_U, NONE],
  le: [code.LE_F, code.LE_S, code.LE_U, NONE],
  eq: [code.EQ_F, code.EQ_I, code.EQ_I, code.EQ_I],
  ne: [code.NE_F, code.NE_I, code.NE_I, code.NE_I],

  and: code.AND,
  or: code.OR,
  not: code.NOT,
  bitAnd: code.AND,
  bitOr: code.OR,
  bitXor: code.XOR,

  where: code.WHERE,

  toFloat32: [SAME_BITS, code.F_FROM_S, code.F_FROM_U, code.F_FROM_U],
  toInt32: [code.S_FROM_F, SAME_BITS, SAME_BITS, SAME_BITS],
  toUint32: [code.U_FROM_F, SAME_BITS, SAME_BITS, SAME_BITS],
  toBool: [code.BOOL_FROM_F, code.BOOL_FROM_I, code.BOOL_FROM_I, SAME_BITS],

  randomBits: code.RANDOM_BITS,
  randomUniform: code.RANDOM_UNIFORM,
  randomNormal: code.RANDOM_NORMAL,
};

type CpuType = Exclude<DType, 'float16'>;

const column: Record<CpuType, 0 | 1 | 2 | 3> = { float32: 0, int32: 1, uint32: 2, bool: 3 };

/** `dtype` is that of the arguments; the rows of `where` and the random numbers ignore it. */
export function opcodeOf(op: PointwiseOp, dtype: DType): number {
  // Kernels with float16 are refused before they come here.
  if (op === 'toFloat16' || dtype === 'float16') throw new RangeError(`${op} of ${dtype}`);
  const row = rows[op];
  const opcode = typeof row === 'number' ? row : row[column[dtype]];
  if (opcode === NONE) throw new RangeError(`${op} does not take ${dtype}`);
  return opcode;
}
