// Memory planning: values that live at the same time never share a slot; slots are reused, and large enough.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forAll, size } from '../testing/data.js';
import { type Lifetime, planMemory } from './memory.js';

const lifetimes: fc.Arbitrary<Lifetime[]> = fc.array(
  fc
    .record({ bytes: size(1, 100), begin: size(-1, 30), length: size(0, 12) })
    .map(({ bytes, begin, length }) => ({ bytes, begin, end: begin + length })),
  { maxLength: 40 },
);

const meet = (a: Lifetime, b: Lifetime) => a.begin <= b.end && b.begin <= a.end;

describe('planMemory', () => {
  it('separates values that meet, in slots that hold them', async () => {
    await forAll(lifetimes, 200, async (values) => {
      const { slotOf, slotBytes } = planMemory(values);
      values.forEach((value, i) => {
        expect(slotBytes[slotOf[i]]).toBeGreaterThanOrEqual(value.bytes);
        values.forEach((other, j) => {
          if (i < j && slotOf[i] === slotOf[j]) expect(meet(value, other)).toBe(false);
        });
      });
      const total = slotBytes.reduce((a, b) => a + b, 0);
      expect(total).toBeLessThanOrEqual(values.reduce((sum, { bytes }) => sum + bytes, 0));
      for (let step = -1; step < 43; step++) {
        const alive = values.filter(({ begin, end }) => begin <= step && step <= end);
        expect(total).toBeGreaterThanOrEqual(alive.reduce((sum, { bytes }) => sum + bytes, 0));
      }
    });
  });

  it('needs two slots for a chain', () => {
    const chain = Array.from({ length: 10 }, (_, step) => ({ bytes: 64, begin: step, end: step + 1 }));
    expect(planMemory(chain).slotBytes).toEqual([64, 64]);
  });

  it('gives small values the smallest slot that is free', () => {
    const { slotOf, slotBytes } = planMemory([
      { bytes: 100, begin: 0, end: 1 },
      { bytes: 10, begin: 0, end: 1 },
      { bytes: 10, begin: 2, end: 3 },
    ]);
    expect(slotBytes).toEqual([100, 10]);
    expect(slotOf).toEqual([0, 1, 1]);
  });
});
