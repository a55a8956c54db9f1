// The allocator of the CPU device's memory.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, Allocator } from './allocator.js';

const BEGIN = 1024;
const SIZE = 1 << 16;

function newAllocator(): Allocator {
  const allocator = new Allocator(BEGIN);
  allocator.add(BEGIN + SIZE);
  return allocator;
}

describe('allocator', () => {
  it('gives aligned ranges that do not overlap, and all of its space again once they are back', () => {
    const steps = fc.array(fc.record({ takes: fc.boolean(), size: fc.nat(9000), pick: fc.nat() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const allocator = newAllocator();
        const taken: { begin: number; end: number }[] = [];
        for (const { takes, size, pick } of list) {
          if (takes) {
            const begin = allocator.take(size);
            if (begin === undefined) continue;
            const end = begin + Math.max(size, 1);
            expect(begin % ALIGNMENT).toBe(0);
            expect(begin).toBeGreaterThanOrEqual(BEGIN);
            expect(end).toBeLessThanOrEqual(BEGIN + SIZE);
            expect(taken.filter((other) => begin < other.end && other.begin < end)).toEqual([]);
            taken.push({ begin, end });
          } else if (taken.length > 0) {
            const [range] = taken.splice(pick % taken.length, 1);
            allocator.release(range.begin);
          }
        }
        for (const { begin } of taken) allocator.release(begin);
        expect(allocator.take(SIZE)).toBe(BEGIN);
      }),
    );
  });

  it('gives nothing when nothing is large enough', () => {
    const allocator = newAllocator();
    expect(allocator.take(SIZE + 1)).toBeUndefined();
    allocator.take(SIZE);
    expect(allocator.take(1)).toBeUndefined();
  });

  it('joins new space to what was free at the end', () => {
    const allocator = newAllocator();
    allocator.take(1024);
    expect(allocator.freeAtEnd).toBe(SIZE - 1024);
    allocator.add(BEGIN + 2 * SIZE);
    expect(allocator.take(2 * SIZE - 1024)).toBe(BEGIN + 1024);
  });

  it('refuses to take back what it did not give', () => {
    const allocator = newAllocator();
    const address = allocator.take(10) as number;
    allocator.release(address);
    expect(() => allocator.release(address)).toThrow(RangeError);
  });
});
