// Pointwise operations on blocks: one loop per operation over vectors of four, which the cache holds.
//
// Operands are addresses with a stride: 16 bytes for a block, 0 for one vector that stands for every element.

import * as op from './opcodes';
import { cos, erf, log, log1p, sigmoid, sin, softplus, tanh } from './math';
import { powLanes } from './pow';
import { randomBits, randomNormal, randomUniform } from './random';
import { exp, madd, nmadd } from './simd';

/** One operand each: where it is, and its stride. */
export function arithmetic(
  opcode: i32,
  target: usize,
  vectors: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
  c: usize,
  cStride: usize,
): void {
  switch (opcode) {
    case op.ADD_F:
      return binary<Add>(target, vectors, a, aStride, b, bStride);
    case op.SUB_F:
      return binary<Subtract>(target, vectors, a, aStride, b, bStride);
    case op.MUL_F:
      return binary<Multiply>(target, vectors, a, aStride, b, bStride);
    case op.DIV_F:
      return binary<Divide>(target, vectors, a, aStride, b, bStride);
    case op.MIN_F:
      return binary<Minimum>(target, vectors, a, aStride, b, bStride);
    case op.MAX_F:
      return binary<Maximum>(target, vectors, a, aStride, b, bStride);
    case op.MADD_F:
      return ternary<MultiplyAdd>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.NMADD_F:
      return ternary<NegatedMultiplyAdd>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.WHERE:
      return ternary<Where>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.NEG_F:
      return unary<Negate>(target, vectors, a, aStride);
    case op.ABS_F:
      return unary<Absolute>(target, vectors, a, aStride);
    case op.SIGN_F:
      return unary<Sign>(target, vectors, a, aStride);
    case op.FLOOR_F:
      return unary<Floor>(target, vectors, a, aStride);
    case op.CEIL_F:
      return unary<Ceil>(target, vectors, a, aStride);
    case op.SQRT_F:
      return unary<SquareRoot>(target, vectors, a, aStride);
    case op.RSQRT_F:
      return unary<ReciprocalSquareRoot>(target, vectors, a, aStride);
    default:
      unreachable();
  }
}

export function elementary(
  opcode: i32,
  target: usize,
  vectors: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
  c: usize,
  cStride: usize,
): void {
  switch (opcode) {
    case op.EXP_F:
      return unary<Exponential>(target, vectors, a, aStride);
    case op.LOG_F:
      return unary<Logarithm>(target, vectors, a, aStride);
    case op.LOG1P_F:
      return unary<Logarithm1p>(target, vectors, a, aStride);
    case op.SIN_F:
      return unary<Sine>(target, vectors, a, aStride);
    case op.COS_F:
      return unary<Cosine>(target, vectors, a, aStride);
    case op.TANH_F:
      return unary<HyperbolicTangent>(target, vectors, a, aStride);
    case op.ERF_F:
      return unary<ErrorFunction>(target, vectors, a, aStride);
    case op.SIGMOID_F:
      return unary<Sigmoid>(target, vectors, a, aStride);
    case op.SOFTPLUS_F:
      return unary<Softplus>(target, vectors, a, aStride);
    case op.POW_F:
      return binary<Power>(target, vectors, a, aStride, b, bStride);
    case op.RANDOM_BITS:
      return ternary<RandomBits>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.RANDOM_UNIFORM:
      return ternary<RandomUniform>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.RANDOM_NORMAL:
      return ternary<RandomNormal>(target, vectors, a, aStride, b, bStride, c, cStride);
    default:
      unreachable();
  }
}

export function comparison(
  opcode: i32,
  target: usize,
  vectors: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
): void {
  switch (opcode) {
    case op.LT_F:
      return binary<LessF>(target, vectors, a, aStride, b, bStride);
    case op.LE_F:
      return binary<LessEqualF>(target, vectors, a, aStride, b, bStride);
    case op.EQ_F:
      return binary<EqualF>(target, vectors, a, aStride, b, bStride);
    case op.NE_F:
      return binary<NotEqualF>(target, vectors, a, aStride, b, bStride);
    case op.LT_S:
      return binary<LessS>(target, vectors, a, aStride, b, bStride);
    case op.LE_S:
      return binary<LessEqualS>(target, vectors, a, aStride, b, bStride);
    case op.LT_U:
      return binary<LessU>(target, vectors, a, aStride, b, bStride);
    case op.LE_U:
      return binary<LessEqualU>(target, vectors, a, aStride, b, bStride);
    case op.EQ_I:
      return binary<EqualI>(target, vectors, a, aStride, b, bStride);
    case op.NE_I:
      return binary<NotEqualI>(target, vectors, a, aStride, b, bStride);
    default:
      unreachable();
  }
}

export function integer(
  opcode: i32,
  target: usize,
  vectors: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
): void {
  switch (opcode) {
    case op.ADD_I:
      return binary<AddI>(target, vectors, a, aStride, b, bStride);
    case op.SUB_I:
      return binary<SubtractI>(target, vectors, a, aStride, b, bStride);
    case op.MUL_I:
      return binary<MultiplyI>(target, vectors, a, aStride, b, bStride);
    case op.MIN_S:
      return binary<MinimumS>(target, vectors, a, aStride, b, bStride);
    case op.MAX_S:
      return binary<MaximumS>(target, vectors, a, aStride, b, bStride);
    case op.MIN_U:
      return binary<MinimumU>(target, vectors, a, aStride, b, bStride);
    case op.MAX_U:
      return binary<MaximumU>(target, vectors, a, aStride, b, bStride);
    case op.NEG_I:
      return unary<NegateI>(target, vectors, a, aStride);
    case op.ABS_S:
      return unary<AbsoluteS>(target, vectors, a, aStride);
    case op.SIGN_S:
      return unary<SignS>(target, vectors, a, aStride);
    case op.SIGN_U:
      return unary<SignU>(target, vectors, a, aStride);
    case op.AND:
      return binary<And>(target, vectors, a, aStride, b, bStride);
    case op.OR:
      return binary<Or>(target, vectors, a, aStride, b, bStride);
    case op.XOR:
      return binary<Xor>(target, vectors, a, aStride, b, bStride);
    case op.NOT:
      return unary<Not>(target, vectors, a, aStride);
    default:
      unreachable();
  }
}

export function conversion(opcode: i32, target: usize, vectors: i32, a: usize, aStride: usize): void {
  switch (opcode) {
    case op.F_FROM_S:
      return unary<FloatFromS>(target, vectors, a, aStride);
    case op.F_FROM_U:
      return unary<FloatFromU>(target, vectors, a, aStride);
    case op.S_FROM_F:
      return unary<SFromFloat>(target, vectors, a, aStride);
    case op.U_FROM_F:
      return unary<UFromFloat>(target, vectors, a, aStride);
    case op.BOOL_FROM_F:
      return unary<BoolFromFloat>(target, vectors, a, aStride);
    case op.BOOL_FROM_I:
      return unary<BoolFromI>(target, vectors, a, aStride);
    default:
      unreachable();
  }
}

/** Copies vectors, or repeats one. */
export function copy(target: usize, vectors: i32, a: usize, aStride: usize): void {
  unary<Identity>(target, vectors, a, aStride);
}

// The loops. `Op` is a class without fields whose method is the operation: the compiler makes one loop of each. They are
// unrolled because V8 builds the constants of an operation anew in every iteration, which can cost more than the operation.

function unary<Op>(target: usize, vectors: i32, a: usize, aStride: usize): void {
  const op = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  if (aStride != 0) {
    const unrolledEnd = target + (<usize>(vectors & ~3) << 4);
    while (target != unrolledEnd) {
      const r0 = op.apply(v128.load(a));
      const r1 = op.apply(v128.load(a, 16));
      const r2 = op.apply(v128.load(a, 32));
      const r3 = op.apply(v128.load(a, 48));
      v128.store(target, r0);
      v128.store(target, r1, 16);
      v128.store(target, r2, 32);
      v128.store(target, r3, 48);
      target += 64;
      a += 64;
    }
  }
  while (target != end) {
    v128.store(target, op.apply(v128.load(a)));
    target += 16;
    a += aStride;
  }
}

function binary<Op>(target: usize, vectors: i32, a: usize, aStride: usize, b: usize, bStride: usize): void {
  const op = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  if ((aStride & bStride) != 0) {
    const unrolledEnd = target + (<usize>(vectors & ~3) << 4);
    while (target != unrolledEnd) {
      const r0 = op.apply(v128.load(a), v128.load(b));
      const r1 = op.apply(v128.load(a, 16), v128.load(b, 16));
      const r2 = op.apply(v128.load(a, 32), v128.load(b, 32));
      const r3 = op.apply(v128.load(a, 48), v128.load(b, 48));
      v128.store(target, r0);
      v128.store(target, r1, 16);
      v128.store(target, r2, 32);
      v128.store(target, r3, 48);
      target += 64;
      a += 64;
      b += 64;
    }
  }
  while (target != end) {
    v128.store(target, op.apply(v128.load(a), v128.load(b)));
    target += 16;
    a += aStride;
    b += bStride;
  }
}

function ternary<Op>(
  target: usize,
  vectors: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
  c: usize,
  cStride: usize,
): void {
  const op = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  while (target != end) {
    v128.store(target, op.apply(v128.load(a), v128.load(b), v128.load(c)));
    target += 16;
    a += aStride;
    b += bStride;
    c += cStride;
  }
}

/** 1 where the lanes of a comparison are set. */
@inline
function bool(mask: v128): v128 {
  return i32x4.shr_u(mask, 31);
}

// The operations.

@unmanaged
class Identity {
  @inline
  apply(a: v128): v128 {
    return a;
  }
}

@unmanaged
class Negate {
  @inline
  apply(a: v128): v128 {
    return f32x4.neg(a);
  }
}

@unmanaged
class Absolute {
  @inline
  apply(a: v128): v128 {
    return f32x4.abs(a);
  }
}

@unmanaged
class Sign {
  @inline
  apply(a: v128): v128 {
    // Zeros and NaN are their own sign.
    const signed = v128.bitselect(a, f32x4.splat(1.0), i32x4.splat(i32.MIN_VALUE));
    return v128.bitselect(signed, a, f32x4.gt(f32x4.abs(a), f32x4.splat(0.0)));
  }
}

@unmanaged
class Floor {
  @inline
  apply(a: v128): v128 {
    return f32x4.floor(a);
  }
}

@unmanaged
class Ceil {
  @inline
  apply(a: v128): v128 {
    return f32x4.ceil(a);
  }
}

@unmanaged
class SquareRoot {
  @inline
  apply(a: v128): v128 {
    return f32x4.sqrt(a);
  }
}

@unmanaged
class ReciprocalSquareRoot {
  @inline
  apply(a: v128): v128 {
    return f32x4.div(f32x4.splat(1.0), f32x4.sqrt(a));
  }
}

@unmanaged
class Exponential {
  @inline
  apply(a: v128): v128 {
    return exp(a);
  }
}

@unmanaged
class Logarithm {
  @inline
  apply(a: v128): v128 {
    return log(a);
  }
}

@unmanaged
class Logarithm1p {
  @inline
  apply(a: v128): v128 {
    return log1p(a);
  }
}

@unmanaged
class Sine {
  @inline
  apply(a: v128): v128 {
    return sin(a);
  }
}

@unmanaged
class Cosine {
  @inline
  apply(a: v128): v128 {
    return cos(a);
  }
}

@unmanaged
class HyperbolicTangent {
  @inline
  apply(a: v128): v128 {
    return tanh(a);
  }
}

@unmanaged
class ErrorFunction {
  @inline
  apply(a: v128): v128 {
    return erf(a);
  }
}

@unmanaged
class Sigmoid {
  @inline
  apply(a: v128): v128 {
    return sigmoid(a);
  }
}

@unmanaged
class Softplus {
  @inline
  apply(a: v128): v128 {
    return softplus(a);
  }
}

@unmanaged
class NegateI {
  @inline
  apply(a: v128): v128 {
    return i32x4.neg(a);
  }
}

@unmanaged
class AbsoluteS {
  @inline
  apply(a: v128): v128 {
    return i32x4.abs(a);
  }
}

@unmanaged
class SignS {
  @inline
  apply(a: v128): v128 {
    return v128.or(i32x4.shr_s(a, 31), i32x4.shr_u(i32x4.neg(a), 31));
  }
}

@unmanaged
class SignU {
  @inline
  apply(a: v128): v128 {
    return i32x4.min_u(a, i32x4.splat(1));
  }
}

@unmanaged
class Not {
  @inline
  apply(a: v128): v128 {
    return v128.xor(a, i32x4.splat(1));
  }
}

@unmanaged
class FloatFromS {
  @inline
  apply(a: v128): v128 {
    return f32x4.convert_i32x4_s(a);
  }
}

@unmanaged
class FloatFromU {
  @inline
  apply(a: v128): v128 {
    return f32x4.convert_i32x4_u(a);
  }
}

@unmanaged
class SFromFloat {
  @inline
  apply(a: v128): v128 {
    return i32x4.trunc_sat_f32x4_s(a);
  }
}

@unmanaged
class UFromFloat {
  @inline
  apply(a: v128): v128 {
    return i32x4.trunc_sat_f32x4_u(a);
  }
}

@unmanaged
class BoolFromFloat {
  @inline
  apply(a: v128): v128 {
    return bool(f32x4.ne(a, f32x4.splat(0.0)));
  }
}

@unmanaged
class BoolFromI {
  @inline
  apply(a: v128): v128 {
    return i32x4.min_u(a, i32x4.splat(1));
  }
}

@unmanaged
class Add {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
}

@unmanaged
class Subtract {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
  }
}

@unmanaged
class Multiply {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

@unmanaged
class Divide {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.div(a, b);
  }
}

@unmanaged
class Minimum {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}

@unmanaged
class Maximum {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}

@unmanaged
class Power {
  @inline
  apply(a: v128, b: v128): v128 {
    return powLanes(a, b);
  }
}

@unmanaged
class LessF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.lt(a, b));
  }
}

@unmanaged
class LessEqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.le(a, b));
  }
}

@unmanaged
class EqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.eq(a, b));
  }
}

@unmanaged
class NotEqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.ne(a, b));
  }
}

@unmanaged
class LessS {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.lt_s(a, b));
  }
}

@unmanaged
class LessEqualS {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.le_s(a, b));
  }
}

@unmanaged
class LessU {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.lt_u(a, b));
  }
}

@unmanaged
class LessEqualU {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.le_u(a, b));
  }
}

@unmanaged
class EqualI {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.eq(a, b));
  }
}

@unmanaged
class NotEqualI {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.ne(a, b));
  }
}

@unmanaged
class AddI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
}

@unmanaged
class SubtractI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.sub(a, b);
  }
}

@unmanaged
class MultiplyI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.mul(a, b);
  }
}

@unmanaged
class MinimumS {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.min_s(a, b);
  }
}

@unmanaged
class MaximumS {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_s(a, b);
  }
}

@unmanaged
class MinimumU {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.min_u(a, b);
  }
}

@unmanaged
class MaximumU {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_u(a, b);
  }
}

@unmanaged
class And {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.and(a, b);
  }
}

@unmanaged
class Or {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.or(a, b);
  }
}

@unmanaged
class Xor {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.xor(a, b);
  }
}

@unmanaged
class MultiplyAdd {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return madd(a, b, c);
  }
}

@unmanaged
class NegatedMultiplyAdd {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return nmadd(a, b, c);
  }
}

@unmanaged
class Where {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return v128.bitselect(b, c, i32x4.ne(a, i32x4.splat(0)));
  }
}

@unmanaged
class RandomBits {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomBits(a, b, c);
  }
}

@unmanaged
class RandomUniform {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomUniform(a, b, c);
  }
}

@unmanaged
class RandomNormal {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomNormal(a, b, c);
  }
}
