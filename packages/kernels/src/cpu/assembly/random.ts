// Random numbers, bit for bit those of portable/random.ts: Threefry-2x32-20 four counters at a time, normals in fixed point.

/** The two words that `threefry` left. Globals belong to the instance, so every thread has its own. */
let word0: v128 = i32x4.splat(0);
let word1: v128 = i32x4.splat(0);

/** 32 random bits: word 0 of the counter block (counter, 0) under the key (key0, key1). */
@inline
export function randomBits(key0: v128, key1: v128, counter: v128): v128 {
  threefry(key0, key1, counter);
  return word0;
}

/** The upper 24 bits of word 0, times 2^-24. */
@inline
export function randomUniform(key0: v128, key1: v128, counter: v128): v128 {
  threefry(key0, key1, counter);
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(word0, 8)), f32x4.splat(5.9604644775390625e-8));
}

/** Standard normals of both words: Box-Muller in fixed point; portable/random.ts has the mathematics. */
@inline
export function randomNormal(key0: v128, key1: v128, counter: v128): v128 {
  threefry(key0, key1, counter);
  const odd = v128.or(word0, i32x4.splat(1));
  const leadingZeros = countLeadingZeros(odd);
  const normalised = i32x4.shr_u(i32x4.mul(odd, powerOfTwo(leadingZeros)), 8);
  const w = i32x4.sub(i32x4.splat(0x1000000), normalised);
  let p = i32x4.splat(20954599);
  p = i32x4.sub(multiplyQ24(p, w), i32x4.splat(21716855));
  p = i32x4.add(multiplyQ24(p, w), i32x4.splat(15380192));
  p = i32x4.sub(multiplyQ24(p, w), i32x4.splat(887338));
  p = i32x4.add(multiplyQ24(p, w), i32x4.splat(3907329));
  p = i32x4.add(multiplyQ24(p, w), i32x4.splat(4154240));
  p = i32x4.add(multiplyQ24(p, w), i32x4.splat(5593506));
  p = i32x4.add(multiplyQ24(p, w), i32x4.splat(8388603));
  const minusLogM = i32x4.add(w, multiplyQ24(multiplyQ24(p, w), w));
  const t = i32x4.add(i32x4.mul(leadingZeros, i32x4.splat(11629080)), minusLogM);

  const x = v128.or(i32x4.shr_u(i32x4.shl(word1, 1), 8), i32x4.splat(1));
  const square = multiplyQ24(x, x);
  let s = i32x4.splat(2545);
  s = i32x4.sub(multiplyQ24(s, square), i32x4.splat(78419));
  s = i32x4.add(multiplyQ24(s, square), i32x4.splat(1336975));
  s = i32x4.sub(multiplyQ24(s, square), i32x4.splat(10837474));
  s = i32x4.add(multiplyQ24(s, square), i32x4.splat(9576373));
  const sine = i32x4.add(x, multiplyQ24(s, x));

  const low = radiusTimes(t, sine);
  const high = radiusTimes(v128.shuffle<i32>(t, t, 2, 3, 2, 3), v128.shuffle<i32>(sine, sine, 2, 3, 2, 3));
  const magnitude = f32x4.mul(v128.shuffle<f64>(low, high, 0, 2), f32x4.splat(2.842170943040401e-14));
  return v128.xor(magnitude, v128.and(word1, i32x4.splat(i32.MIN_VALUE)));
}

/** Leaves both words of the counter block (counter, 0) in `word0` and `word1`. The rounds work on locals, which stay in registers. */
function threefry(key0: v128, key1: v128, counter: v128): void {
  let added = key0;
  let next = key1;
  let last = v128.xor(v128.xor(key0, key1), i32x4.splat(0x1bd11bda));
  let x0 = i32x4.add(counter, added);
  let x1 = next;
  for (let group = 1; group <= 5; group++) {
    const isOdd = (group & 1) != 0;
    x0 = i32x4.add(x0, x1);
    x1 = v128.xor(rotate(x1, isOdd ? 13 : 17), x0);
    x0 = i32x4.add(x0, x1);
    x1 = v128.xor(rotate(x1, isOdd ? 15 : 29), x0);
    x0 = i32x4.add(x0, x1);
    x1 = v128.xor(rotate(x1, isOdd ? 26 : 16), x0);
    x0 = i32x4.add(x0, x1);
    x1 = v128.xor(rotate(x1, isOdd ? 6 : 24), x0);

    const first = added;
    added = next;
    next = last;
    last = first;
    x0 = i32x4.add(x0, added);
    x1 = i32x4.add(i32x4.add(x1, next), i32x4.splat(group));
  }
  word0 = x0;
  word1 = x1;
}

@inline
function rotate(a: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(a, bits), i32x4.shr_u(a, 32 - bits));
}

/** floor(a b / 2^24), which has to fit a lane. */
@inline
function multiplyQ24(a: v128, b: v128): v128 {
  const low = i64x2.shl(i64x2.extmul_low_i32x4_s(a, b), 8);
  const high = i64x2.shl(i64x2.extmul_high_i32x4_s(a, b), 8);
  return v128.shuffle<i32>(low, high, 1, 3, 5, 7);
}

/** Of lanes 0 and 1: floor(sqrt(2 t 2^18)) times the sine, as float32. The product is exact before it is rounded. */
@inline
function radiusTimes(t: v128, sine: v128): v128 {
  const scaled = f64x2.mul(f64x2.convert_low_i32x4_s(t), f64x2.splat(524288.0));
  const radius = f64x2.floor(f64x2.sqrt(scaled));
  return f32x4.demote_f64x2_zero(f64x2.mul(radius, f64x2.convert_low_i32x4_s(sine)));
}

/** Of non-zero lanes. Clearing every bit below a set one keeps the conversion from rounding up to the next power of two. */
@inline
function countLeadingZeros(a: v128): v128 {
  const float = f32x4.convert_i32x4_u(v128.andnot(a, i32x4.shr_u(a, 1)));
  return i32x4.sub(i32x4.splat(158), i32x4.shr_u(float, 23));
}

/** 2^n for n of 0 to 31. */
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.trunc_sat_f32x4_u(i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23));
}
