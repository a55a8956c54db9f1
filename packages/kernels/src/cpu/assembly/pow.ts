// a^b in float64 by logarithm and exponential, rounded once to float32; special values as JavaScript's Math.pow.

/** Four powers. Each lane takes its own path, so they are computed one by one. */
@inline
export function powLanes(a: v128, b: v128): v128 {
  let result = f32x4.splat(pow(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0)));
  result = f32x4.replace_lane(result, 1, pow(f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1)));
  result = f32x4.replace_lane(result, 2, pow(f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2)));
  return f32x4.replace_lane(result, 3, pow(f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3)));
}

function pow(base: f32, exponent: f32): f32 {
  if (exponent == 0) return 1;
  if (base != base || exponent != exponent) return NaN;
  const magnitude = <f64>Mathf.abs(base);
  const y = <f64>exponent;
  if (magnitude == 1 && Mathf.abs(exponent) == Infinity) return NaN;

  const isInteger = Mathf.trunc(exponent) == exponent;
  if (base < 0 && base > -Infinity && !isInteger) return NaN;
  const isOdd = isInteger && Math.abs(y) < 16777216 && (<i32>y & 1) != 0;
  const power = magnitude == 0 || magnitude == Infinity ? limit(magnitude, y) : exp2(y * log2(magnitude));
  return <f32>(isOdd && <i32>(reinterpret<u32>(base) >> 31) != 0 ? -power : power);
}

/** Powers of zero and infinity. */
@inline
function limit(base: f64, exponent: f64): f64 {
  return (base == 0) == exponent > 0 ? 0 : Infinity;
}

/** log2(x) for normal x > 0: x = m 2^e with m in [sqrt 1/2, sqrt 2), log m = 2 artanh((m - 1) / (m + 1)). */
function log2(x: f64): f64 {
  const bits = reinterpret<u64>(x) - 0x3fe6a09e667f3bcd;
  const e = <f64>(<i64>bits >> 52);
  const m = reinterpret<f64>((bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd);
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let p: f64 = 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  p = p * z + 1;
  return e + p * s * 2.885390081777926815;
}

/** 2^x by the Taylor series of e^(r ln 2), |r| <= 1/2; saturates where float32 does. */
function exp2(x: f64): f64 {
  const clamped = Math.max(Math.min(x, 200), -200);
  const n = Math.round(clamped);
  const r = (clamped - n) * 0.693147180559945309;
  let p: f64 = 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  p = p * r + 1;
  return p * reinterpret<f64>((<i64>n + 1023) << 52);
}
