// The vector vocabulary of the CPU kernels: fused multiply-add where the machine has it, horizontal sums,
// transposes, partial loads and stores, and the exponential. Everything is four float32 lanes and raw
// addresses.

/**
 * a * b + c. One instruction (and one rounding) in the relaxed build, two in the plain build, so the two
 * builds differ in the last bits; within one build the result depends on the operands alone.
 */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b, fused like `madd`. */
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** (a0 + a2) + (a1 + a3): the one order in which lanes are ever added, so that sums are reproducible. */
@inline
export function horizontalSum(a: v128): f32 {
  const pairs = f32x4.add(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** The largest lane; NaN if any lane is NaN. */
@inline
export function horizontalMax(a: v128): f32 {
  const pairs = f32x4.max(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.max(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** The horizontal sums of four vectors, as the four lanes of one. */
@inline
export function horizontalSums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** The first `lanes` (1 to 4) floats at `pointer`; the other lanes are zero. Reads nothing beyond them. */
@inline
export function loadLanes(pointer: usize, lanes: i32): v128 {
  if (lanes >= 4) return v128.load(pointer);
  if (lanes == 1) return v128.load32_zero(pointer);
  const pair = v128.load64_zero(pointer);
  return lanes == 2 ? pair : v128.load32_lane(pointer, pair, 2, 8);
}

/** Writes the first `lanes` (1 to 4) floats of `value` and nothing beyond them. */
@inline
export function storeLanes(pointer: usize, value: v128, lanes: i32): void {
  if (lanes >= 4) {
    v128.store(pointer, value);
  } else if (lanes == 1) {
    v128.store32_lane(pointer, value, 0);
  } else {
    v128.store64_lane(pointer, value, 0);
    if (lanes == 3) v128.store32_lane(pointer, value, 2, 8);
  }
}

/**
 * Transposes a 4 by 4 block: source rows are `sourceStride` bytes apart, destination rows `destinationStride`
 * bytes.
 */
@inline
export function transpose4x4(
  source: usize,
  sourceStride: usize,
  destination: usize,
  destinationStride: usize,
): void {
  const a = v128.load(source);
  const b = v128.load(source + sourceStride);
  const c = v128.load(source + 2 * sourceStride);
  const d = v128.load(source + 3 * sourceStride);
  const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(destination, v128.shuffle<f32>(abLow, cdLow, 0, 1, 4, 5));
  v128.store(destination + destinationStride, v128.shuffle<f32>(abLow, cdLow, 2, 3, 6, 7));
  v128.store(destination + 2 * destinationStride, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5));
  v128.store(destination + 3 * destinationStride, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7));
}

/**
 * e^x within 2 ULP, subnormal results included; exp(-inf) = 0, exp(+inf) = +inf, NaN stays NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2, e^r from the degree-6 minimax polynomial of Cephes' expf. n is read
 * from the mantissa of x log2(e) + 1.5 * 2^23, and 2^n is applied as two factors because n spans -150 to 129.
 */
@inline
export function exp(x: v128): v128 {
  // pmin and pmax return their first operand when it is NaN.
  const clamped = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89.0)), f32x4.splat(-104.0));
  const magic = f32x4.splat(12582912.0);
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)), magic);
  const n = f32x4.sub(shifted, magic);
  let r = nmadd(n, f32x4.splat(0.693359375), clamped);
  r = nmadd(n, f32x4.splat(-2.1219444e-4), r);

  let p = madd(f32x4.splat(1.98756915e-4), r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1.0));

  const exponent = i32x4.sub(shifted, magic);
  const half = i32x4.shr_s(exponent, 1);
  const rest = i32x4.sub(exponent, half);
  const one = f32x4.splat(1.0);
  p = f32x4.mul(p, i32x4.add(i32x4.shl(half, 23), one));
  return f32x4.mul(p, i32x4.add(i32x4.shl(rest, 23), one));
}
