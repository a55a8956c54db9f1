// Pointwise operations on blocks: one loop per operation over vectors of four, which the cache holds.
//
// Operands are addresses with a stride: 16 bytes for a block, 0 for one vector that stands for every element.

import * as op from './opcodes';
import * as by from './operations';

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
      return binary<by.Add>(target, vectors, a, aStride, b, bStride);
    case op.SUB_F:
      return binary<by.Subtract>(target, vectors, a, aStride, b, bStride);
    case op.MUL_F:
      return binary<by.Multiply>(target, vectors, a, aStride, b, bStride);
    case op.DIV_F:
      return binary<by.Divide>(target, vectors, a, aStride, b, bStride);
    case op.MIN_F:
      return binary<by.Minimum>(target, vectors, a, aStride, b, bStride);
    case op.MAX_F:
      return binary<by.Maximum>(target, vectors, a, aStride, b, bStride);
    case op.MADD_F:
      return ternary<by.MultiplyAdd>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.NMADD_F:
      return ternary<by.NegatedMultiplyAdd>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.WHERE:
      return ternary<by.Where>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.NEG_F:
      return unary<by.Negate>(target, vectors, a, aStride);
    case op.ABS_F:
      return unary<by.Absolute>(target, vectors, a, aStride);
    case op.SIGN_F:
      return unary<by.Sign>(target, vectors, a, aStride);
    case op.FLOOR_F:
      return unary<by.Floor>(target, vectors, a, aStride);
    case op.CEIL_F:
      return unary<by.Ceil>(target, vectors, a, aStride);
    case op.SQRT_F:
      return unary<by.SquareRoot>(target, vectors, a, aStride);
    case op.RSQRT_F:
      return unary<by.ReciprocalSquareRoot>(target, vectors, a, aStride);
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
      return unary<by.Exponential>(target, vectors, a, aStride);
    case op.LOG_F:
      return unary<by.Logarithm>(target, vectors, a, aStride);
    case op.LOG1P_F:
      return unary<by.Logarithm1p>(target, vectors, a, aStride);
    case op.SIN_F:
      return unary<by.Sine>(target, vectors, a, aStride);
    case op.COS_F:
      return unary<by.Cosine>(target, vectors, a, aStride);
    case op.TANH_F:
      return unary<by.HyperbolicTangent>(target, vectors, a, aStride);
    case op.ERF_F:
      return unary<by.ErrorFunction>(target, vectors, a, aStride);
    case op.SIGMOID_F:
      return unary<by.Sigmoid>(target, vectors, a, aStride);
    case op.SOFTPLUS_F:
      return unary<by.Softplus>(target, vectors, a, aStride);
    case op.POW_F:
      return binary<by.Power>(target, vectors, a, aStride, b, bStride);
    case op.RANDOM_BITS:
      return ternary<by.RandomBits>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.RANDOM_UNIFORM:
      return ternary<by.RandomUniform>(target, vectors, a, aStride, b, bStride, c, cStride);
    case op.RANDOM_NORMAL:
      return ternary<by.RandomNormal>(target, vectors, a, aStride, b, bStride, c, cStride);
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
      return binary<by.LessF>(target, vectors, a, aStride, b, bStride);
    case op.LE_F:
      return binary<by.LessEqualF>(target, vectors, a, aStride, b, bStride);
    case op.EQ_F:
      return binary<by.EqualF>(target, vectors, a, aStride, b, bStride);
    case op.NE_F:
      return binary<by.NotEqualF>(target, vectors, a, aStride, b, bStride);
    case op.LT_S:
      return binary<by.LessS>(target, vectors, a, aStride, b, bStride);
    case op.LE_S:
      return binary<by.LessEqualS>(target, vectors, a, aStride, b, bStride);
    case op.LT_U:
      return binary<by.LessU>(target, vectors, a, aStride, b, bStride);
    case op.LE_U:
      return binary<by.LessEqualU>(target, vectors, a, aStride, b, bStride);
    case op.EQ_I:
      return binary<by.EqualI>(target, vectors, a, aStride, b, bStride);
    case op.NE_I:
      return binary<by.NotEqualI>(target, vectors, a, aStride, b, bStride);
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
      return binary<by.AddI>(target, vectors, a, aStride, b, bStride);
    case op.SUB_I:
      return binary<by.SubtractI>(target, vectors, a, aStride, b, bStride);
    case op.MUL_I:
      return binary<by.MultiplyI>(target, vectors, a, aStride, b, bStride);
    case op.MIN_S:
      return binary<by.MinimumS>(target, vectors, a, aStride, b, bStride);
    case op.MAX_S:
      return binary<by.MaximumS>(target, vectors, a, aStride, b, bStride);
    case op.MIN_U:
      return binary<by.MinimumU>(target, vectors, a, aStride, b, bStride);
    case op.MAX_U:
      return binary<by.MaximumU>(target, vectors, a, aStride, b, bStride);
    case op.NEG_I:
      return unary<by.NegateI>(target, vectors, a, aStride);
    case op.ABS_S:
      return unary<by.AbsoluteS>(target, vectors, a, aStride);
    case op.SIGN_S:
      return unary<by.SignS>(target, vectors, a, aStride);
    case op.SIGN_U:
      return unary<by.SignU>(target, vectors, a, aStride);
    case op.AND:
      return binary<by.And>(target, vectors, a, aStride, b, bStride);
    case op.OR:
      return binary<by.Or>(target, vectors, a, aStride, b, bStride);
    case op.XOR:
      return binary<by.Xor>(target, vectors, a, aStride, b, bStride);
    case op.NOT:
      return unary<by.Not>(target, vectors, a, aStride);
    default:
      unreachable();
  }
}

export function conversion(opcode: i32, target: usize, vectors: i32, a: usize, aStride: usize): void {
  switch (opcode) {
    case op.F_FROM_S:
      return unary<by.FloatFromS>(target, vectors, a, aStride);
    case op.F_FROM_U:
      return unary<by.FloatFromU>(target, vectors, a, aStride);
    case op.S_FROM_F:
      return unary<by.SFromFloat>(target, vectors, a, aStride);
    case op.U_FROM_F:
      return unary<by.UFromFloat>(target, vectors, a, aStride);
    case op.BOOL_FROM_F:
      return unary<by.BoolFromFloat>(target, vectors, a, aStride);
    case op.BOOL_FROM_I:
      return unary<by.BoolFromI>(target, vectors, a, aStride);
    default:
      unreachable();
  }
}

/** Copies vectors, or repeats one. */
export function copy(target: usize, vectors: i32, a: usize, aStride: usize): void {
  unary<by.Identity>(target, vectors, a, aStride);
}

// The loops. `Op` is a class without fields whose method is the operation: the compiler makes one loop of each. They are
// unrolled because V8 builds the constants of an operation anew in every iteration, which can cost more than the operation.

function unary<Op>(target: usize, vectors: i32, a: usize, aStride: usize): void {
  const operation = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  if (aStride != 0) {
    const unrolledEnd = target + (<usize>(vectors & ~3) << 4);
    while (target != unrolledEnd) {
      const r0 = operation.apply(v128.load(a));
      const r1 = operation.apply(v128.load(a, 16));
      const r2 = operation.apply(v128.load(a, 32));
      const r3 = operation.apply(v128.load(a, 48));
      v128.store(target, r0);
      v128.store(target, r1, 16);
      v128.store(target, r2, 32);
      v128.store(target, r3, 48);
      target += 64;
      a += 64;
    }
  }
  while (target != end) {
    v128.store(target, operation.apply(v128.load(a)));
    target += 16;
    a += aStride;
  }
}

function binary<Op>(target: usize, vectors: i32, a: usize, aStride: usize, b: usize, bStride: usize): void {
  const operation = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  if ((aStride & bStride) != 0) {
    const unrolledEnd = target + (<usize>(vectors & ~3) << 4);
    while (target != unrolledEnd) {
      const r0 = operation.apply(v128.load(a), v128.load(b));
      const r1 = operation.apply(v128.load(a, 16), v128.load(b, 16));
      const r2 = operation.apply(v128.load(a, 32), v128.load(b, 32));
      const r3 = operation.apply(v128.load(a, 48), v128.load(b, 48));
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
    v128.store(target, operation.apply(v128.load(a), v128.load(b)));
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
  const operation = changetype<Op>(0);
  const end = target + (<usize>vectors << 4);
  while (target != end) {
    v128.store(target, operation.apply(v128.load(a), v128.load(b), v128.load(c)));
    target += 16;
    a += aStride;
    b += bStride;
    c += cStride;
  }
}
