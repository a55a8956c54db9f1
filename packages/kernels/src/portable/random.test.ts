// Random numbers: published answers of Threefry, exactness in float32, and the distributions.
import { describe, expect, it } from 'vitest';
import { normalFromWords, randomBits, randomNormal, randomUniform, threefry } from './random.js';

const hex = (value: number) => value.toString(16).padStart(8, '0');
const words = (key0: number, key1: number, counter0: number, counter1: number) => [
  hex(threefry(key0, key1, counter0, counter1, 0)),
  hex(threefry(key0, key1, counter0, counter1, 1)),
];

describe('threefry', () => {
  it('gives the known answers of Random123', () => {
    expect(words(0, 0, 0, 0)).toEqual(['6b200159', '99ba4efe']);
    expect(words(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff)).toEqual(['1cb996fc', 'bb002be7']);
    expect(words(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual(['c4923a9c', '483df7a0']);
  });
});

describe('randomBits and randomUniform', () => {
  it('are the first word of the block (counter, 0) and its upper 24 bits', () => {
    expect(hex(randomBits(0, 0, 0))).toBe('6b200159');
    expect(randomUniform(0, 0, 0)).toBe(0x6b2001 / 2 ** 24);
  });

  it('fill [0, 1) evenly', () => {
    const bins = new Array<number>(64).fill(0);
    const count = 64_000;
    for (let i = 0; i < count; i++) {
      const u = randomUniform(7, 11, i);
      expect(u).toBe(Math.fround(u));
      bins[Math.floor(u * 64)] += 1;
    }
    // 63 degrees of freedom: mean 63, standard deviation 11.2.
    const chiSquared = bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeGreaterThan(25);
    expect(chiSquared).toBeLessThan(120);
  });
});

describe('randomNormal', () => {
  it('has pinned bits', () => {
    const bits = (value: number) => hex(new Uint32Array(Float32Array.of(value).buffer)[0]);
    expect([0, 1, 2, 3].map((counter) => bits(randomNormal(0, 0, counter)))).toEqual([
      'bed1d9e9',
      'bf8b17a2',
      'bfaeb2dc',
      '3d53dab9',
    ]);
  });

  it('is the Box-Muller transform of its words', () => {
    for (let i = 0; i < 20_000; i++) {
      const word0 = threefry(3, 5, i, 0, 0);
      const word1 = threefry(3, 5, i, 0, 1);
      const radius = Math.sqrt(-2 * Math.log(((word0 | 1) >>> 0) / 2 ** 32));
      const sine = Math.sin((Math.PI * (word1 & 0x7fffffff)) / 2 ** 32) * (word1 < 2 ** 31 ? 1 : -1);
      const z = normalFromWords(word0, word1);
      expect(z).toBe(Math.fround(z));
      // t is known to 2^-22, radius to 2^-21, the sine to 2^-21, so that small radii dominate: dr = dt / r.
      expect(Math.abs(z - radius * sine)).toBeLessThan(2 ** -21 * (1 / radius + 1 + radius));
    }
  });

  it('never gives zero and never leaves (-6.67, 6.67)', () => {
    expect(normalFromWords(0, 0x7fffffff)).toBeCloseTo(6.6604, 4);
    expect(normalFromWords(0, 0xffffffff)).toBeCloseTo(-6.6604, 4);
    expect(normalFromWords(0xffffffff, 0)).toBeGreaterThan(0);
    expect(normalFromWords(0xffffffff, 0x80000000)).toBeLessThan(0);
  });

  it('has the moments and tails of a standard normal', () => {
    const count = 400_000;
    const sums = [0, 0, 0, 0];
    const tails = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const z = randomNormal(2024, 99, i);
      sums.forEach((_, k) => {
        sums[k] += z ** (k + 1);
      });
      tails.forEach((_, k) => {
        tails[k] += Math.abs(z) > k + 2 ? 1 : 0;
      });
    }
    const [mean, second, third, fourth] = sums.map((sum) => sum / count);
    // Each estimate lies within 4.5 of its own standard deviations.
    const within = (value: number, expected: number, variance: number) =>
      expect(Math.abs(value - expected)).toBeLessThan(4.5 * Math.sqrt(variance / count));
    within(mean, 0, 1);
    within(second, 1, 2);
    within(third, 0, 15);
    within(fourth, 3, 96);
    const probabilities = [0.0455002639, 0.0026997961, 0.0000633425];
    tails.forEach((tail, k) => {
      within(tail / count, probabilities[k], probabilities[k]);
    });
  });
});
