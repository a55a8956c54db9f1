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

/** Standard normals of both words. */
@inline
export function randomNormal(key0: v128, key1: v128, counter: v128): v128 {
  threefry(key0, key1, counter);
  let result = f32x4.splat(normalFromWords(i32x4.extract_lane(word0, 0), i32x4.extract_lane(word1, 0)));
  result = f32x4.replace_lane(
    result,
    1,
    normalFromWords(i32x4.extract_lane(word0, 1), i32x4.extract_lane(word1, 1)),
  );
  result = f32x4.replace_lane(
    result,
    2,
    normalFromWords(i32x4.extract_lane(word0, 2), i32x4.extract_lane(word1, 2)),
  );
  return f32x4.replace_lane(
    result,
    3,
    normalFromWords(i32x4.extract_lane(word0, 3), i32x4.extract_lane(word1, 3)),
  );
}

function threefry(key0: v128, key1: v128, counter: v128): void {
  const key2 = v128.xor(v128.xor(key0, key1), i32x4.splat(0x1bd11bda));
  word0 = i32x4.add(counter, key0);
  word1 = key1;
  fourRounds(13, 15, 26, 6);
  addKeys(key1, key2, 1);
  fourRounds(17, 29, 16, 24);
  addKeys(key2, key0, 2);
  fourRounds(13, 15, 26, 6);
  addKeys(key0, key1, 3);
  fourRounds(17, 29, 16, 24);
  addKeys(key1, key2, 4);
  fourRounds(13, 15, 26, 6);
  addKeys(key2, key0, 5);
}

@inline
function fourRounds(a: i32, b: i32, c: i32, d: i32): void {
  round(a);
  round(b);
  round(c);
  round(d);
}

@inline
function round(rotation: i32): void {
  word0 = i32x4.add(word0, word1);
  word1 = v128.xor(v128.or(i32x4.shl(word1, rotation), i32x4.shr_u(word1, 32 - rotation)), word0);
}

@inline
function addKeys(first: v128, second: v128, round: i32): void {
  word0 = i32x4.add(word0, first);
  word1 = i32x4.add(i32x4.add(word1, second), i32x4.splat(round));
}

/** Box-Muller in fixed point; portable/random.ts has the mathematics. */
function normalFromWords(word0: u32, word1: u32): f32 {
  const odd = word0 | 1;
  const leadingZeros = clz(odd);
  const w = <i64>(0x1000000 - ((odd << leadingZeros) >> 8));
  let p: i64 = 20954599;
  p = multiplyQ24(p, w) - 21716855;
  p = multiplyQ24(p, w) + 15380192;
  p = multiplyQ24(p, w) - 887338;
  p = multiplyQ24(p, w) + 3907329;
  p = multiplyQ24(p, w) + 4154240;
  p = multiplyQ24(p, w) + 5593506;
  p = multiplyQ24(p, w) + 8388603;
  const minusLogM = w + multiplyQ24(multiplyQ24(p, w), w);
  const twoT = 2 * (<i64>leadingZeros * 11629080 + minusLogM);
  const radius = Math.floor(Math.sqrt(<f64>(twoT * 262144)));

  const x = <i64>(((word1 << 1) >> 8) | 1);
  const square = multiplyQ24(x, x);
  let s: i64 = 2545;
  s = multiplyQ24(s, square) - 78419;
  s = multiplyQ24(s, square) + 1336975;
  s = multiplyQ24(s, square) - 10837474;
  s = multiplyQ24(s, square) + 9576373;
  const sine = x + multiplyQ24(s, x);

  const magnitude = <f32>(radius * <f64>sine) * 2.842170943040401e-14;
  return word1 >> 31 ? -magnitude : magnitude;
}

/** floor(a b / 2^24). */
@inline
function multiplyQ24(a: i64, b: i64): i64 {
  return (a * b) >> 24;
}
