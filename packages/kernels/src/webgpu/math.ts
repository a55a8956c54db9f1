/**
 * Elementary functions in WGSL to a few units in the last place, with the limits of IEEE 754 at zero and infinity and NaN for NaN,
 * where WGSL has none or promises less: its sine is good to 2^-11 and only near zero, its exponential loses 2|x| ULP.
 *
 * Shaders may be compiled as if NaN and infinities did not exist, so that `x != x` says nothing and an overflow anything: NaN is
 * told by its bits, and arguments are clamped where a result would overflow on the way. The types F, I, U, B: see functions.ts.
 */

import { wgsl } from './wgsl.js';

export const mathFunctions = [
  // A float by its bits: WGSL writes neither infinities nor NaN.
  wgsl`
    fn dmpo_float(bits: U) -> F { return bitcast<F>(bits); }
  `,
  wgsl`
    fn dmpo_is_nan(x: F) -> B { return (bitcast<U>(x) & U(0x7fffffff)) > U(0x7f800000); }
  `,
  wgsl`
    fn dmpo_copy_sign(magnitude: F, x: F) -> F {
      return bitcast<F>(bitcast<U>(magnitude) | (bitcast<U>(x) & U(0x80000000)));
    }
  `,

  // Comparisons: NaN differs from everything.
  wgsl`
    fn dmpo_lt(a: F, b: F) -> B { return (a < b) & !(dmpo_is_nan(a) | dmpo_is_nan(b)); }
  `,
  wgsl`
    fn dmpo_le(a: F, b: F) -> B { return (a <= b) & !(dmpo_is_nan(a) | dmpo_is_nan(b)); }
  `,
  wgsl`
    fn dmpo_eq(a: F, b: F) -> B { return (a == b) & !(dmpo_is_nan(a) | dmpo_is_nan(b)); }
  `,
  wgsl`
    fn dmpo_ne(a: F, b: F) -> B { return (a != b) | dmpo_is_nan(a) | dmpo_is_nan(b); }
  `,

  // Equal floats have equal bits but for zeros, of which | finds a negative one and & a positive one.
  wgsl`
    fn dmpo_min(a: F, b: F) -> F {
      let zero = bitcast<F>(bitcast<U>(a) | bitcast<U>(b));
      let least = select(min(a, b), zero, a == b);
      return select(select(least, b, dmpo_is_nan(b)), a, dmpo_is_nan(a));
    }
  `,
  wgsl`
    fn dmpo_max(a: F, b: F) -> F {
      let zero = bitcast<F>(bitcast<U>(a) & bitcast<U>(b));
      let greatest = select(max(a, b), zero, a == b);
      return select(select(greatest, b, dmpo_is_nan(b)), a, dmpo_is_nan(a));
    }
  `,
  wgsl`
    fn dmpo_sign(x: F) -> F {
      let is_signed = (x != F()) & !dmpo_is_nan(x);
      return select(x, dmpo_copy_sign(F(1.0), x), is_signed);
    }
  `,

  // Conversions that saturate; the largest floats below the limits convert exactly.
  wgsl`
    fn dmpo_to_int(x: F) -> I {
      let whole = select(I(clamp(x, F(-2147483648.0), F(2147483520.0))), I(0x7fffffff), x >= F(2147483648.0));
      return select(whole, I(), dmpo_is_nan(x));
    }
  `,
  wgsl`
    fn dmpo_to_uint(x: F) -> U {
      let whole = select(U(clamp(x, F(), F(4294967040.0))), U(0xffffffff), x >= F(4294967296.0));
      return select(whole, U(), dmpo_is_nan(x));
    }
  `,

  // The nearest float16, ties to even, as a float. Below 2^-14, a float16 is a whole number of 2^-24, which is what the last bits of
  // a float between 0.5 and 1 count.
  wgsl`
    fn dmpo_round_float16(x: F) -> F {
      let bits = bitcast<U>(x) & U(0x7fffffff);
      let normal = (bits + U(0xfff) + ((bits >> U(13)) & U(1))) & U(0xffffe000);
      let steps = bitcast<U>(abs(x) + F(0.5)) - U(0x3f000000);
      let finite = select(normal, bitcast<U>(F(steps) * 5.9604644775390625e-8), bits < U(0x38800000));
      let limited = select(select(finite, U(0x7f800000), bits >= U(0x477ff000)), bits, bits > U(0x7f800000));
      return bitcast<F>(limited | (bitcast<U>(x) & U(0x80000000)));
    }
  `,
  // The bits of the nearest float16.
  wgsl`
    fn dmpo_float16_bits(x: F) -> U {
      let bits = bitcast<U>(x) & U(0x7fffffff);
      let normal = (bits - U(0x38000000) + U(0xfff) + ((bits >> U(13)) & U(1))) >> U(13);
      let steps = bitcast<U>(abs(x) + F(0.5)) - U(0x3f000000);
      let finite = select(normal, steps, bits < U(0x38800000));
      let limited = select(finite, U(0x7c00), bits >= U(0x477ff000));
      return select(limited, U(0x7e00), bits > U(0x7f800000)) | ((bitcast<U>(x) >> U(16)) & U(0x8000));
    }
  `,

  // The nearest float of an integer beyond 2^24: halves convert exactly, and their sum is rounded once.
  wgsl`
    fn dmpo_from_uint(x: U) -> F { return F(x >> U(16)) * 65536.0 + F(x & U(65535)); }
  `,

  // x = n ln 2 + r, |r| <= ln 2 / 2. n is also the low bits of a sum with 1.5 * 2^23. Results below 2^-126 are zero.
  wgsl`
    fn dmpo_exp(x: F) -> F {
      let scaled = x * 1.44269504088896341;
      let n = round(scaled);
      let r = (x - n * 0.693359375) + n * 2.1219444e-4;
      let exponent = bitcast<U>(scaled + 12582912.0) << U(23);
      let value = bitcast<F>(bitcast<U>(dmpo_exp_near_zero(r)) + exponent);
      let above = select(value, dmpo_float(U(0x7f800000)), x > F(88.7228317));
      let limited = select(above, F(), x < F(-87.3365402));
      return select(limited, x, dmpo_is_nan(x));
    }
  `,
  // e^r for |r| <= ln 2 / 2, by the polynomial of Cephes' expf.
  wgsl`
    fn dmpo_exp_near_zero(r: F) -> F {
      var p = r * 1.98756915e-4 + 1.3981999507e-3;
      p = p * r + 8.3334519073e-3;
      p = p * r + 4.1665795894e-2;
      p = p * r + 1.6666665459e-1;
      p = p * r + 5.0000001201e-1;
      return p * (r * r) + r + 1.0;
    }
  `,

  // x = m 2^e with m in [sqrt 1/2, sqrt 2), f = m - 1. Subnormal numbers are scaled first.
  wgsl`
    fn dmpo_log(x: F) -> F {
      let is_small = x < F(1.17549435e-38);
      let bits = bitcast<I>(select(x, x * 8388608.0, is_small)) - 0x3f3504f3;
      let e = F(bits >> U(23)) - select(F(), F(23.0), is_small);
      let f = bitcast<F>((bits & I(0x007fffff)) + 0x3f3504f3) - 1.0;
      return dmpo_log_limits(x, dmpo_log_sum(e, f));
    }
  `,
  // Where 1 + x needs no scaling, f is x itself, not the rounded sum less 1.
  wgsl`
    fn dmpo_log1p(x: F) -> F {
      let u = 1.0 + x;
      let bits = bitcast<I>(u) - 0x3f3504f3;
      let e = bits >> U(23);
      let f = bitcast<F>((bits & I(0x007fffff)) + 0x3f3504f3) - 1.0;
      return dmpo_log_limits(u, dmpo_log_sum(F(e), select(f, x, e == I())));
    }
  `,
  // e ln 2 + log(1 + f), the polynomial that of Cephes' logf.
  wgsl`
    fn dmpo_log_sum(e: F, f: F) -> F {
      let z = f * f;
      var p = f * 7.0376836292e-2 - 1.151461031e-1;
      p = p * f + 1.167699874e-1;
      p = p * f - 1.2420140846e-1;
      p = p * f + 1.4249322787e-1;
      p = p * f - 1.6668057665e-1;
      p = p * f + 2.0000714765e-1;
      p = p * f - 2.4999993993e-1;
      p = p * f + 3.3333331174e-1;
      let y = (p * f * z - e * 2.1219444e-4) - 0.5 * z;
      return (f + y) + e * 0.693359375;
    }
  `,
  // Of 0, of infinity, and NaN of negative numbers and NaN, which have the largest bits.
  wgsl`
    fn dmpo_log_limits(x: F, logarithm: F) -> F {
      let bits = bitcast<U>(x);
      let limit = select(x, dmpo_float(U(0x7fc00000)), bits > U(0x7f800000));
      let value = select(logarithm, limit, bits >= U(0x7f800000));
      return select(value, dmpo_float(U(0xff800000)), (bits & U(0x7fffffff)) == U());
    }
  `,

  wgsl`
    fn dmpo_sigmoid(x: F) -> F {
      let e = dmpo_exp(-abs(x));
      return select(e, F(1.0), x >= F()) / (1.0 + e);
    }
  `,
  wgsl`
    fn dmpo_softplus(x: F) -> F {
      return max(x, F()) + dmpo_log1p(dmpo_exp(-abs(x)));
    }
  `,

  // An odd polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above (Cephes' tanhf).
  wgsl`
    fn dmpo_tanh(x: F) -> F {
      let a = abs(x);
      let z = x * x;
      var p = z * -5.70498872745e-3 + 2.06390887954e-2;
      p = p * z - 5.37397155531e-2;
      p = p * z + 1.33314422036e-1;
      p = p * z - 3.33332819422e-1;
      let small = p * z * x + x;
      let large = 1.0 - 2.0 / (dmpo_exp(2.0 * min(a, F(15.0))) + 1.0);
      let value = select(dmpo_copy_sign(large, x), small, a < F(0.625));
      return select(value, x, dmpo_is_nan(x));
    }
  `,

  // An odd polynomial below 475/512; above, 1 - exp(polynomial), where from 4 on erf rounds to 1 (coefficients by N. Juffa).
  wgsl`
    fn dmpo_erf(x: F) -> F {
      let t = min(abs(x), F(4.0));
      let s = t * t;
      var p = s * -5.96761703e-4 + 4.99119423e-3;
      p = p * s - 2.67681349e-2;
      p = p * s + 1.12819925e-1;
      p = p * s - 3.76125336e-1;
      p = p * s + 1.128379166;
      let small = p * x;
      var q = t * -1.7285347e-5 + 3.83197126e-4;
      q = q * s + (t * -3.88396438e-3 + 2.42546219e-2);
      q = q * t - 1.06777877e-1;
      q = q * t - 6.34846687e-1;
      q = q * t - 1.28717512e-1;
      let large = 1.0 - dmpo_exp(q * t - t);
      let value = select(dmpo_copy_sign(large, x), small, t < F(0.927734375));
      return select(value, x, dmpo_is_nan(x));
    }
  `,

  wgsl`
    fn dmpo_sin(x: F) -> F { return dmpo_sine(x, I(0)); }
  `,
  wgsl`
    fn dmpo_cos(x: F) -> F { return dmpo_sine(x, I(1)); }
  `,
  // sin(x + offset pi/2): x less the nearest multiple of pi/2, which is subtracted in parts of so few bits that their products
  // with n are exact up to |x| = 39000 (SLEEF's), then Cephes' sinf or cosf by the quadrant. Beyond, a value in [-1, 1].
  wgsl`
    fn dmpo_sine(x: F, offset: I) -> F {
      let n = round(clamp(x, F(-1.0e9), F(1.0e9)) * 0.6366197723675814);
      var r = x - n * 1.5703125;
      r -= n * 4.8351287841796875e-4;
      r -= n * 3.1385570764541625977e-7;
      r -= n * 6.0771006282767103812e-11;
      r = clamp(r, F(-0.79), F(0.79));
      let quadrant = I(n) + offset;

      let z = r * r;
      var s = z * -1.9515295891e-4 + 8.3321608736e-3;
      s = s * z - 1.6666654611e-1;
      s = s * z * r + r;
      var c = z * 2.443315711809948e-5 - 1.388731625493765e-3;
      c = c * z + 4.166664568298827e-2;
      c = c * (z * z) + (1.0 - 0.5 * z);
      let value = select(s, c, (quadrant & I(1)) == I(1));
      let signed = bitcast<F>(bitcast<U>(value) ^ (bitcast<U>(quadrant & I(2)) << U(30)));
      let is_finite = (bitcast<U>(x) & U(0x7f800000)) < U(0x7f800000);
      return select(dmpo_float(U(0x7fc00000)), signed, is_finite);
    }
  `,

  // fdlibm's powf: log2(a) in two floats, times b in two floats, then 2^n e^r. Masks leave floats of 12 bits, whose products are
  // exact. The limits are those of Math.pow, which unlike C gives NaN for 1^NaN and (+-1)^infinity.
  wgsl`
    fn dmpo_pow(a: F, b: F) -> F {
      let base = abs(a);
      let is_small = base < F(1.17549435e-38);
      let bits = bitcast<I>(select(base, base * 16777216.0, is_small));
      let mantissa = bits & I(0x007fffff);
      let is_high = mantissa >= I(0x5db3d7);
      let is_middle = (mantissa > I(0x1cc471)) & !is_high;
      let exponent = (bits >> U(23)) - 127 + select(I(), I(1), is_high) - select(I(), I(24), is_small);
      let m = bitcast<F>(mantissa | select(I(0x3f800000), I(0x3f000000), is_high));
      let center = select(F(1.0), F(1.5), is_middle);

      // s = (m - center) / (m + center) = s_high + s_low
      let u = m - center;
      let sum_high = dmpo_high(m + center);
      let sum_low = m - (sum_high - center);
      let v = 1.0 / (m + center);
      let s = u * v;
      let s_high = dmpo_high(s);
      let s_low = v * ((u - s_high * sum_high) - s_high * sum_low);

      // log(m / center) = 2/3 s (3 + s^2 + r)
      let z = s * s;
      var r = z * 2.0697501302e-1 + 2.3066075146e-1;
      r = r * z + 2.7272811532e-1;
      r = r * z + 3.3333334327e-1;
      r = r * z + 4.2857143283e-1;
      r = r * z + 6.0000002384e-1;
      r = r * z * z + s_low * (s_high + s);
      let square = s_high * s_high;
      let t_high = dmpo_high(3.0 + square + r);
      let t_low = r - ((t_high - 3.0) - square);
      let p = s_high * t_high;
      let p_rest = s_low * t_high + t_low * s;
      let p_high = dmpo_high(p + p_rest);
      let p_low = p_rest - (p_high - p);

      // log2(a) = exponent + log2(center) + 2 / (3 ln 2) (p_high + p_low)
      let l_high = 9.6191406250e-1 * p_high;
      let l_low = p_high * -1.1736857402e-4 + p_low * 9.6179670095e-1 + select(F(), F(1.56322085e-06), is_middle);
      let center_log = select(F(), F(5.84960938e-01), is_middle);
      let log_high = dmpo_high(((l_high + l_low) + center_log) + F(exponent));
      let log_low = l_low - (((log_high - F(exponent)) - center_log) - l_high);

      let b_finite = clamp(b, F(-1.0e9), F(1.0e9));
      let b_high = dmpo_high(b_finite);
      let y_high = b_high * log_high;
      let y_low = (b_finite - b_high) * log_high + b_finite * log_low;
      let y = y_high + y_low;
      let n = round(clamp(y, F(-150.0), F(150.0)));
      let rest = ((y_high - n) + y_low) * 0.6931471806;
      let power = bitcast<F>(bitcast<U>(dmpo_exp_near_zero(rest)) + (bitcast<U>(I(n)) << U(23)));
      let infinity = dmpo_float(U(0x7f800000));
      let magnitude = select(select(power, infinity, y >= F(128.0)), F(), y < F(-126.0));

      let is_whole = (floor(b_finite) == b_finite);
      let is_odd = is_whole & (abs(b) < F(16777216.0)) & ((I(b_finite) & I(1)) == I(1));
      let is_negative = (bitcast<U>(a) >> U(31)) == U(1);
      let grows = (base > F(1.0)) == (b > F());
      let is_zero = bitcast<U>(base) == U();
      let is_infinite = bitcast<U>(base) == U(0x7f800000);
      let limited = select(magnitude, select(F(), infinity, grows), is_zero | is_infinite);
      let value = select(limited, -limited, is_negative & is_odd);

      let is_unit = base == F(1.0);
      let is_endless = (bitcast<U>(b) & U(0x7fffffff)) == U(0x7f800000);
      let is_complex = is_negative & !is_zero & !is_infinite & !is_whole;
      let is_nan = is_complex | (is_unit & is_endless) | dmpo_is_nan(a) | dmpo_is_nan(b);
      return select(select(value, dmpo_float(U(0x7fc00000)), is_nan), F(1.0), (bitcast<U>(b) & U(0x7fffffff)) == U());
    }
  `,
  // The upper 12 bits of the mantissa.
  wgsl`
    fn dmpo_high(x: F) -> F { return bitcast<F>(bitcast<U>(x) & U(0xfffff000)); }
  `,
];
