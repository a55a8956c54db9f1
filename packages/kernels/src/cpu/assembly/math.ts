// Vectorised elementary functions of float32, four lanes at a time: log, log1p, sin, cos, tanh, erf, sigmoid, softplus.
// A few ULP of error, IEEE limits at zero and infinity, NaN in gives NaN out. The exponential is in simd.ts.

import { exp, madd, nmadd } from './simd';

/** Natural logarithm; log(0) = -inf, log(x < 0) = NaN, subnormals included (Cephes logf: x = m 2^e, m in [sqrt 1/2, sqrt 2)). */
@inline
export function log(x: v128): v128 {
  const one = f32x4.splat(1.0);
  const subnormal = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  const normal = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608.0)), x, subnormal);
  const subnormalShift = v128.and(subnormal, f32x4.splat(-23.0));

  // Subtracting the bits of sqrt(1/2) moves the boundary between exponents to where the mantissa is sqrt(1/2).
  const bits = i32x4.sub(normal, i32x4.splat(0x3f3504f3));
  const e = f32x4.add(f32x4.convert_i32x4_s(i32x4.shr_s(bits, 23)), subnormalShift);
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const f = f32x4.sub(m, one);
  const z = f32x4.mul(f, f);

  let p = madd(f32x4.splat(7.0376836292e-2), f, f32x4.splat(-1.151461031e-1));
  p = madd(p, f, f32x4.splat(1.167699874e-1));
  p = madd(p, f, f32x4.splat(-1.2420140846e-1));
  p = madd(p, f, f32x4.splat(1.4249322787e-1));
  p = madd(p, f, f32x4.splat(-1.6668057665e-1));
  p = madd(p, f, f32x4.splat(2.0000714765e-1));
  p = madd(p, f, f32x4.splat(-2.4999993993e-1));
  p = madd(p, f, f32x4.splat(3.3333331174e-1));
  let y = f32x4.mul(f32x4.mul(p, f), z);
  y = madd(e, f32x4.splat(-2.1219444e-4), y);
  y = madd(z, f32x4.splat(-0.5), y);
  y = madd(e, f32x4.splat(0.693359375), f32x4.add(f, y));

  const zero = f32x4.splat(0.0);
  const infinity = f32x4.splat(Infinity);
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(x, zero));
  // x >= 0 is false for NaN and for negatives; x < infinity then leaves +inf itself.
  y = v128.bitselect(y, f32x4.splat(NaN), f32x4.ge(x, zero));
  return v128.bitselect(infinity, y, f32x4.eq(x, infinity));
}

/** log(1 + x), relatively accurate near zero: the rounding of u = 1 + x is corrected to first order by (x - (u - 1)) / u. */
@inline
export function log1p(x: v128): v128 {
  const one = f32x4.splat(1.0);
  const u = f32x4.add(x, one);
  // The lost part of 1 + x, exact when the smaller operand is subtracted last.
  const lost = v128.bitselect(
    f32x4.sub(one, f32x4.sub(u, x)),
    f32x4.sub(x, f32x4.sub(u, one)),
    f32x4.gt(x, one),
  );
  const correction = f32x4.div(lost, u);
  // At x = -1 and x = +inf the correction is 0/0 or inf - inf, and log(u) is already right.
  return f32x4.add(log(u), v128.and(correction, f32x4.eq(correction, correction)));
}

/**
 * 1 / (1 + e^-x), which keeps its relative accuracy for every x. The exponential is that of simd.ts with r negated, and with
 * one factor 2^n, enough here: n = 128 gives infinity and so the limit 0, and below 2^-126 the sum is 1.
 */
@inline
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1.0);
  const magic = f32x4.splat(12582912.0);
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-89.0)), f32x4.splat(87.0));
  const shifted = madd(clamped, f32x4.splat(-1.44269504088896341), magic);
  const n = f32x4.sub(shifted, magic);
  let r = madd(n, f32x4.splat(0.693359375), clamped);
  r = madd(n, f32x4.splat(-2.1219444e-4), r);

  let p = madd(f32x4.splat(1.98756915e-4), r, f32x4.splat(-1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(-4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(-5.0000001201e-1));
  p = nmadd(p, f32x4.mul(r, r), f32x4.sub(one, r));
  const power = i32x4.add(i32x4.shl(shifted, 23), one);
  return f32x4.div(one, madd(p, power, one));
}

/** log(1 + e^x) = max(x, 0) + log1p(e^-|x|). */
@inline
export function softplus(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0.0)), log1p(exp(f32x4.neg(f32x4.abs(x)))));
}

/** Hyperbolic tangent: odd polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above (Cephes tanhf). */
@inline
export function tanh(x: v128): v128 {
  const a = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let p = madd(f32x4.splat(-5.70498872745e-3), z, f32x4.splat(2.06390887954e-2));
  p = madd(p, z, f32x4.splat(-5.37397155531e-2));
  p = madd(p, z, f32x4.splat(1.33314422036e-1));
  p = madd(p, z, f32x4.splat(-3.33332819422e-1));
  const small = madd(f32x4.mul(p, z), x, x);

  const one = f32x4.splat(1.0);
  const tail = f32x4.div(f32x4.splat(2.0), f32x4.add(exp(f32x4.add(a, a)), one));
  const large = copySign(f32x4.sub(one, tail), x);
  return v128.bitselect(small, large, f32x4.lt(a, f32x4.splat(0.625)));
}

/**
 * Error function. Below 475/512 an odd polynomial; above, 1 - exp(polynomial), saturating at |x| = 4 where erf rounds
 * to 1 (minimax coefficients published by N. Juffa, 1 ULP with fused operations).
 */
@inline
export function erf(x: v128): v128 {
  const t = f32x4.pmin(f32x4.abs(x), f32x4.splat(4.0));
  const s = f32x4.mul(t, t);

  let p = madd(f32x4.splat(-5.96761703e-4), s, f32x4.splat(4.99119423e-3));
  p = madd(p, s, f32x4.splat(-2.67681349e-2));
  p = madd(p, s, f32x4.splat(1.12819925e-1));
  p = madd(p, s, f32x4.splat(-3.76125336e-1));
  p = madd(p, s, f32x4.splat(1.28379166e-1));
  const small = madd(p, x, x);

  let q = madd(f32x4.splat(-1.7285347e-5), t, f32x4.splat(3.83197126e-4));
  q = madd(q, s, madd(f32x4.splat(-3.88396438e-3), t, f32x4.splat(2.42546219e-2)));
  q = madd(q, t, f32x4.splat(-1.06777877e-1));
  q = madd(q, t, f32x4.splat(-6.34846687e-1));
  q = madd(q, t, f32x4.splat(-1.28717512e-1));
  q = f32x4.sub(f32x4.mul(q, t), t);
  const large = copySign(f32x4.sub(f32x4.splat(1.0), exp(q)), x);
  return v128.bitselect(small, large, f32x4.lt(t, f32x4.splat(0.927734375)));
}

/** Sine, for any |x| below about 1e9; sin(±inf) = NaN. */
@inline
export function sin(x: v128): v128 {
  return sinOfQuadrants(x, 0);
}

/** Cosine, for any |x| below about 1e9; cos(±inf) = NaN. */
@inline
export function cos(x: v128): v128 {
  return sinOfQuadrants(x, 1);
}

/** sin(x + offset pi/2): x is reduced to [-pi/4, pi/4] in float64, then Cephes' sinf or cosf polynomial by quadrant. */
@inline
function sinOfQuadrants(x: v128, offset: i32): v128 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
  const lowShifted = quadrantBits(low);
  const highShifted = quadrantBits(high);
  const reduced = v128.shuffle<f64>(
    f32x4.demote_f64x2_zero(reduceQuadrant(low, lowShifted)),
    f32x4.demote_f64x2_zero(reduceQuadrant(high, highShifted)),
    0,
    2,
  );
  // Arguments too large to reduce still give a value in [-1, 1].
  const r = f32x4.pmax(f32x4.pmin(reduced, f32x4.splat(0.7853982)), f32x4.splat(-0.7853982));
  const quadrant = i32x4.add(v128.shuffle<i32>(lowShifted, highShifted, 0, 2, 4, 6), i32x4.splat(offset));

  const z = f32x4.mul(r, r);
  let s = madd(f32x4.splat(-1.9515295891e-4), z, f32x4.splat(8.3321608736e-3));
  s = madd(s, z, f32x4.splat(-1.6666654611e-1));
  s = madd(f32x4.mul(s, z), r, r);
  let c = madd(f32x4.splat(2.443315711809948e-5), z, f32x4.splat(-1.388731625493765e-3));
  c = madd(c, z, f32x4.splat(4.166664568298827e-2));
  c = madd(c, f32x4.mul(z, z), madd(z, f32x4.splat(-0.5), f32x4.splat(1.0)));

  const isOdd = i32x4.eq(v128.and(quadrant, i32x4.splat(1)), i32x4.splat(1));
  const sign = i32x4.shl(v128.and(quadrant, i32x4.splat(2)), 30);
  return v128.xor(v128.bitselect(c, s, isOdd), sign);
}

/** x 2/pi rounded to an integer, left in the low mantissa bits by adding 1.5 * 2^52. */
@inline
function quadrantBits(x: v128): v128 {
  return f64x2.add(f64x2.mul(x, f64x2.splat(0.63661977236758134308)), f64x2.splat(6755399441055744.0));
}

/** x - n pi/2, pi/2 in two parts of which the first has 33 bits, so that its product with n < 2^20 is exact. */
@inline
function reduceQuadrant(x: v128, shifted: v128): v128 {
  const n = f64x2.sub(shifted, f64x2.splat(6755399441055744.0));
  const coarse = f64x2.sub(x, f64x2.mul(n, f64x2.splat(1.57079632673412561417)));
  return f64x2.sub(coarse, f64x2.mul(n, f64x2.splat(6.07710050650619224932e-11)));
}

/** |magnitude| with the sign of `sign`. */
@inline
function copySign(magnitude: v128, sign: v128): v128 {
  return v128.bitselect(sign, magnitude, i32x4.splat(i32.MIN_VALUE));
}
