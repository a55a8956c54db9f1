// The operations of elementwise.ts: each is a class without fields, whose method computes four elements.

import { cos, erf, log, log1p, sigmoid, sin, softplus, tanh } from './math';
import { powLanes } from './pow';
import { randomBits, randomNormal, randomUniform } from './random';
import { exp, madd, nmadd } from './simd';

/** 1 where the lanes of a comparison are set. */
@inline
function bool(mask: v128): v128 {
  return i32x4.shr_u(mask, 31);
}

@unmanaged
export class Identity {
  @inline
  apply(a: v128): v128 {
    return a;
  }
}

@unmanaged
export class Negate {
  @inline
  apply(a: v128): v128 {
    return f32x4.neg(a);
  }
}

@unmanaged
export class Absolute {
  @inline
  apply(a: v128): v128 {
    return f32x4.abs(a);
  }
}

@unmanaged
export class Sign {
  @inline
  apply(a: v128): v128 {
    // Zeros and NaN are their own sign.
    const signed = v128.bitselect(a, f32x4.splat(1.0), i32x4.splat(i32.MIN_VALUE));
    return v128.bitselect(signed, a, f32x4.gt(f32x4.abs(a), f32x4.splat(0.0)));
  }
}

@unmanaged
export class Floor {
  @inline
  apply(a: v128): v128 {
    return f32x4.floor(a);
  }
}

@unmanaged
export class Ceil {
  @inline
  apply(a: v128): v128 {
    return f32x4.ceil(a);
  }
}

@unmanaged
export class SquareRoot {
  @inline
  apply(a: v128): v128 {
    return f32x4.sqrt(a);
  }
}

@unmanaged
export class ReciprocalSquareRoot {
  @inline
  apply(a: v128): v128 {
    return f32x4.div(f32x4.splat(1.0), f32x4.sqrt(a));
  }
}

@unmanaged
export class Exponential {
  @inline
  apply(a: v128): v128 {
    return exp(a);
  }
}

@unmanaged
export class Logarithm {
  @inline
  apply(a: v128): v128 {
    return log(a);
  }
}

@unmanaged
export class Logarithm1p {
  @inline
  apply(a: v128): v128 {
    return log1p(a);
  }
}

@unmanaged
export class Sine {
  @inline
  apply(a: v128): v128 {
    return sin(a);
  }
}

@unmanaged
export class Cosine {
  @inline
  apply(a: v128): v128 {
    return cos(a);
  }
}

@unmanaged
export class HyperbolicTangent {
  @inline
  apply(a: v128): v128 {
    return tanh(a);
  }
}

@unmanaged
export class ErrorFunction {
  @inline
  apply(a: v128): v128 {
    return erf(a);
  }
}

@unmanaged
export class Sigmoid {
  @inline
  apply(a: v128): v128 {
    return sigmoid(a);
  }
}

@unmanaged
export class Softplus {
  @inline
  apply(a: v128): v128 {
    return softplus(a);
  }
}

@unmanaged
export class NegateI {
  @inline
  apply(a: v128): v128 {
    return i32x4.neg(a);
  }
}

@unmanaged
export class AbsoluteS {
  @inline
  apply(a: v128): v128 {
    return i32x4.abs(a);
  }
}

@unmanaged
export class SignS {
  @inline
  apply(a: v128): v128 {
    return v128.or(i32x4.shr_s(a, 31), i32x4.shr_u(i32x4.neg(a), 31));
  }
}

@unmanaged
export class SignU {
  @inline
  apply(a: v128): v128 {
    return i32x4.min_u(a, i32x4.splat(1));
  }
}

@unmanaged
export class Not {
  @inline
  apply(a: v128): v128 {
    return v128.xor(a, i32x4.splat(1));
  }
}

@unmanaged
export class FloatFromS {
  @inline
  apply(a: v128): v128 {
    return f32x4.convert_i32x4_s(a);
  }
}

@unmanaged
export class FloatFromU {
  @inline
  apply(a: v128): v128 {
    return f32x4.convert_i32x4_u(a);
  }
}

@unmanaged
export class SFromFloat {
  @inline
  apply(a: v128): v128 {
    return i32x4.trunc_sat_f32x4_s(a);
  }
}

@unmanaged
export class UFromFloat {
  @inline
  apply(a: v128): v128 {
    return i32x4.trunc_sat_f32x4_u(a);
  }
}

@unmanaged
export class BoolFromFloat {
  @inline
  apply(a: v128): v128 {
    return bool(f32x4.ne(a, f32x4.splat(0.0)));
  }
}

@unmanaged
export class BoolFromI {
  @inline
  apply(a: v128): v128 {
    return i32x4.min_u(a, i32x4.splat(1));
  }
}

@unmanaged
export class Add {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
}

@unmanaged
export class Subtract {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
  }
}

@unmanaged
export class Multiply {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

@unmanaged
export class Divide {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.div(a, b);
  }
}

@unmanaged
export class Minimum {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}

@unmanaged
export class Maximum {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}

@unmanaged
export class Power {
  @inline
  apply(a: v128, b: v128): v128 {
    return powLanes(a, b);
  }
}

@unmanaged
export class LessF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.lt(a, b));
  }
}

@unmanaged
export class LessEqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.le(a, b));
  }
}

@unmanaged
export class EqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.eq(a, b));
  }
}

@unmanaged
export class NotEqualF {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(f32x4.ne(a, b));
  }
}

@unmanaged
export class LessS {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.lt_s(a, b));
  }
}

@unmanaged
export class LessEqualS {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.le_s(a, b));
  }
}

@unmanaged
export class LessU {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.lt_u(a, b));
  }
}

@unmanaged
export class LessEqualU {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.le_u(a, b));
  }
}

@unmanaged
export class EqualI {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.eq(a, b));
  }
}

@unmanaged
export class NotEqualI {
  @inline
  apply(a: v128, b: v128): v128 {
    return bool(i32x4.ne(a, b));
  }
}

@unmanaged
export class AddI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
}

@unmanaged
export class SubtractI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.sub(a, b);
  }
}

@unmanaged
export class MultiplyI {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.mul(a, b);
  }
}

@unmanaged
export class MinimumS {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.min_s(a, b);
  }
}

@unmanaged
export class MaximumS {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_s(a, b);
  }
}

@unmanaged
export class MinimumU {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.min_u(a, b);
  }
}

@unmanaged
export class MaximumU {
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_u(a, b);
  }
}

@unmanaged
export class And {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.and(a, b);
  }
}

@unmanaged
export class Or {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.or(a, b);
  }
}

@unmanaged
export class Xor {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.xor(a, b);
  }
}

@unmanaged
export class MultiplyAdd {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return madd(a, b, c);
  }
}

@unmanaged
export class NegatedMultiplyAdd {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return nmadd(a, b, c);
  }
}

@unmanaged
export class Where {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return v128.bitselect(b, c, i32x4.ne(a, i32x4.splat(0)));
  }
}

@unmanaged
export class RandomBits {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomBits(a, b, c);
  }
}

@unmanaged
export class RandomUniform {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomUniform(a, b, c);
  }
}

@unmanaged
export class RandomNormal {
  @inline
  apply(a: v128, b: v128, c: v128): v128 {
    return randomNormal(a, b, c);
  }
}
