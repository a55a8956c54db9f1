// The expected lists are those by which Hugging Face tests the same schedules: learning rate 10, 10 steps, 2 or 4 to warm up.
import { describe, expect, it } from 'vitest';
import { constantSchedule, cosineSchedule, linearSchedule, type Schedule } from './schedules.js';

const afterWarmUp = { warmUpSteps: 2, totalSteps: 10 };

describe('learning-rate schedules', () => {
  it.each<[string, Schedule, number[]]>([
    ['constant', constantSchedule(10), [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]],
    [
      'constant with warm-up',
      constantSchedule(10, { warmUpSteps: 4 }),
      [0, 2.5, 5, 7.5, 10, 10, 10, 10, 10, 10],
    ],
    ['linear', linearSchedule(10, afterWarmUp), [0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25]],
    ['cosine', cosineSchedule(10, afterWarmUp), [0, 5, 10, 9.61, 8.53, 6.91, 5, 3.08, 1.46, 0.38]],
  ])('%s', (_, schedule, expected) => {
    expected.forEach((rate, step) => {
      expect(Math.abs(schedule(step) - rate)).toBeLessThan(0.01);
    });
  });

  it('end at 0', () => {
    for (const schedule of [linearSchedule(10, afterWarmUp), cosineSchedule(10, afterWarmUp)]) {
      expect(schedule(9)).toBeGreaterThan(0.1);
      expect(schedule(10)).toBeCloseTo(0, 12);
    }
    expect(linearSchedule(10, afterWarmUp)(25)).toBe(0);
  });

  it('start at the full rate without warm-up', () => {
    expect(linearSchedule(3, { totalSteps: 4 })(0)).toBe(3);
    expect(cosineSchedule(3, { totalSteps: 4 })(0)).toBe(3);
    expect(cosineSchedule(3, { totalSteps: 4 })(2)).toBeCloseTo(1.5, 12);
  });

  it('cosine swings back up with more cycles', () => {
    const schedule = cosineSchedule(1, { totalSteps: 8, cycles: 1.5 });
    [0, 8 / 3, 16 / 3, 8].forEach((step, i) => {
      expect(schedule(step)).toBeCloseTo(i % 2 === 0 ? 1 : 0, 12);
    });
  });
});
