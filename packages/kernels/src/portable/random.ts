/**
 * Counter-based random numbers: Threefry-2x32-20 and the uniform and normal numbers made of it. Every step is exact integer
 * arithmetic but for the last product of `randomNormal`, so that every device gets the same bits.
 */

/**
 * One word of Threefry-2x32-20 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11) of the counter block
 * (counter0, counter1) under the key (key0, key1). All are uint32; `word` is 0 or 1.
 */
export function threefry(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
  word: number,
): number {
  const key2 = key0 ^ key1 ^ 0x1bd11bda;
  let x0 = (counter0 + key0) | 0;
  let x1 = (counter1 + key1) | 0;

  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key1) | 0;
  x1 = (x1 + key2 + 1) | 0;

  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + key2) | 0;
  x1 = (x1 + key0 + 2) | 0;

  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key0) | 0;
  x1 = (x1 + key1 + 3) | 0;

  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + key1) | 0;
  x1 = (x1 + key2 + 4) | 0;

  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0;
  x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key2) | 0;
  x1 = (x1 + key0 + 5) | 0;

  if (word === 0) return x0 >>> 0;
  return x1 >>> 0;
}

/** 32 random bits as a uint32: word 0 of the counter block (counter, 0). */
export function randomBits(key0: number, key1: number, counter: number): number {
  return threefry(key0, key1, counter, 0, 0);
}

/** Uniform in [0, 1): the upper 24 bits of word 0, times 2^-24. Exact in float32. */
export function randomUniform(key0: number, key1: number, counter: number): number {
  return (threefry(key0, key1, counter, 0, 0) >>> 8) * 5.9604644775390625e-8;
}

/** Standard normal, exactly representable in float32: `normalFromWords` of both words of the counter block (counter, 0). */
export function randomNormal(key0: number, key1: number, counter: number): number {
  return normalFromWords(threefry(key0, key1, counter, 0, 0), threefry(key0, key1, counter, 0, 1));
}

/**
 * Box-Muller in fixed point, |result| < 6.67. Q24 means an integer that stands for itself times 2^-24.
 *
 *   u = (word0 | 1) * 2^-32 = m * 2^-k, with m in [1/2, 1) truncated to 24 bits, k = number of leading zeros
 *   w = 1 - m, in (0, 1/2], Q24 exactly
 *   -ln m = -ln(1 - w) = w + w * (w * P(w)), P the polynomial below               error < 2^-22
 *   2t = 2 * (k * ln 2 - ln m), Q24, below 2^30
 *   radius = floor(sqrt(2t * 2^18)), Q21, below 2^24: the exact integer square root of a 48-bit number
 *   x = (bits 30..7 of word1) | 1, Q24: the angle in its quadrant, over pi/2; never 0
 *   sine = x + x * S(x * x), Q24, S the polynomial below                           error < 2^-21
 *   z = radius * sine * 2^-45, negative where bit 31 of word1 is set
 *
 * Every product of two Q24 numbers is `multiplyQ24`, the floor of the exact product; both polynomials are evaluated by Horner's
 * rule with one `multiplyQ24` and one addition of a coefficient per degree. radius and sine are integers of at most 24 bits,
 * hence exact in float32: z is their float32 product (rounded to nearest even, the only rounding of the whole) scaled by an
 * exact power of two. The sine over one quadrant with a random sign is distributed as the cosine over the full circle.
 */
export function normalFromWords(word0: number, word1: number): number {
  let mantissa = (word0 | 1) >>> 0;
  let leadingZeros = 0;
  while (mantissa < 0x80000000) {
    mantissa = mantissa * 2;
    leadingZeros = leadingZeros + 1;
  }
  const w = 0x1000000 - (mantissa >>> 8);
  let p = 20954599;
  p = -21716855 + multiplyQ24(p, w);
  p = 15380192 + multiplyQ24(p, w);
  p = -887338 + multiplyQ24(p, w);
  p = 3907329 + multiplyQ24(p, w);
  p = 4154240 + multiplyQ24(p, w);
  p = 5593506 + multiplyQ24(p, w);
  p = 8388603 + multiplyQ24(p, w);
  const minusLogM = w + multiplyQ24(multiplyQ24(p, w), w);
  const twoT = 2 * (leadingZeros * 11629080 + minusLogM);
  const radius = Math.floor(Math.sqrt(twoT * 262144));

  const x = ((word1 << 1) >>> 8) | 1;
  const square = multiplyQ24(x, x);
  let s = 2545;
  s = -78419 + multiplyQ24(s, square);
  s = 1336975 + multiplyQ24(s, square);
  s = -10837474 + multiplyQ24(s, square);
  s = 9576373 + multiplyQ24(s, square);
  const sine = x + multiplyQ24(s, x);

  const magnitude = Math.fround(radius * sine) * 2.842170943040401e-14;
  if (word1 >= 0x80000000) return -magnitude;
  return magnitude;
}

/** floor(a * b / 2^24) for integers |a| < 2^25 and 0 <= b < 2^24: the exact product has at most 49 bits. */
function multiplyQ24(a: number, b: number): number {
  return Math.floor((a * b) / 16777216);
}
