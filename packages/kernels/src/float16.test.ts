// Rounding to float16 against all of its 65536 numbers.
import { describe, expect, it } from 'vitest';
import { float16Bits, float16Value, roundFloat16 } from './float16.js';

/** The finite numbers from zero up, by their bits. */
const ascending = Array.from({ length: 0x7c00 }, (_, bits) => float16Value(bits));

describe('float16', () => {
  it('has the numbers of IEEE 754', () => {
    expect(float16Value(0x3c00)).toBe(1);
    expect(float16Value(0xc000)).toBe(-2);
    expect(float16Value(0x7bff)).toBe(65504);
    expect(float16Value(0x0001)).toBe(2 ** -24);
    expect(float16Value(0x0400)).toBe(2 ** -14);
    expect(float16Value(0x3555)).toBe(0.333251953125);
    expect(float16Value(0x7c00)).toBe(Number.POSITIVE_INFINITY);
    expect(float16Value(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
    expect(float16Value(0x7e00)).toBeNaN();
    expect(float16Value(0x8000)).toBe(-0);
    for (let i = 1; i < ascending.length; i++) expect(ascending[i]).toBeGreaterThan(ascending[i - 1]);
  });

  it('keeps every number, and finds its bits', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = float16Value(bits);
      if (!Object.is(roundFloat16(value), value)) expect.fail(`${value} becomes ${roundFloat16(value)}`);
      const expected = Number.isNaN(value) ? 0x7e00 : bits;
      if (float16Bits(value) !== expected) expect.fail(`the bits of ${value} are ${float16Bits(value)}`);
    }
  });

  it('rounds to the nearest number, and to the even one from the middle', () => {
    for (let bits = 0; bits + 1 < ascending.length; bits++) {
      const [low, high] = [ascending[bits], ascending[bits + 1]];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? low : high;
      const quarter = (high - low) / 1024;
      const rounded = [middle - quarter, middle, middle + quarter].map(roundFloat16);
      if (String(rounded) !== String([low, even, high])) expect.fail(`about ${middle}: ${rounded}`);
      if (!Object.is(roundFloat16(-middle), -even)) expect.fail(`-${middle}: ${roundFloat16(-middle)}`);
    }
  });

  it('rounds what is beyond its largest number to infinity', () => {
    expect(roundFloat16(65519.99)).toBe(65504);
    expect(roundFloat16(65520)).toBe(Number.POSITIVE_INFINITY);
    expect(roundFloat16(-1e300)).toBe(Number.NEGATIVE_INFINITY);
    expect(roundFloat16(Number.NaN)).toBeNaN();
    expect(roundFloat16(1e-300)).toBe(0);
    expect(roundFloat16(-1e-300)).toBe(-0);
  });
});
