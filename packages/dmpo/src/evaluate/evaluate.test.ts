// Measures of samples on pixels chosen by hand.
import { describe, expect, it } from 'vitest';
import { ImageSet } from '../data/image-set.js';
import { nearestImages } from './nearest-image.js';
import { evaluateSamples } from './sample-quality.js';
import { winRate } from './win-rate.js';

/** Two prompts in two styles; image i is 1x2 pixels of value i / 4. */
const real = new ImageSet({
  pixels: Float32Array.from([0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]),
  shape: [1, 2, 1],
  prompts: ['apple', 'bus'],
  labels: [0, 0, 1, 1],
  styles: ['ink', 'oil', 'ink', 'oil'],
});

const flat = (...values: number[]) => Float32Array.from(values.flatMap((value) => [value, value]));

describe('nearestImages', () => {
  it('finds the nearest real image and the mean squared distance to it', () => {
    const [first, second] = nearestImages(Float32Array.from([0.5, 0.25, -1, -1]), real);
    expect(first).toEqual({ index: 1, distance: 0.03125 });
    expect(second).toEqual({ index: 0, distance: 1 });
  });

  it('refuses samples of another size', () => {
    expect(() => nearestImages(new Float32Array(3), real)).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    );
  });
});

describe('evaluateSamples', () => {
  it('counts samples nearest to their own prompt, and the styles they are drawn in', () => {
    const quality = evaluateSamples(flat(0, 0.5, 0.5, 1), [0, 0, 1, 1], real);
    expect(quality).toEqual({
      samples: 4,
      promptAccuracy: 0.75,
      meanDistance: 0.0625 / 4,
      styleShares: { ink: 0.75, oil: 0.25 },
    });
  });
});

describe('winRate', () => {
  const oil = real.filter((index) => real.styles[index] === 'oil');

  it('compares with the preferred image of the own prompt, ties counting half', () => {
    const baseline = flat(0, 0.5, 0.75, 0);
    const challenger = flat(0.25, 0, 0.75, 0.25);
    // Won, tied (0.25 is as far from 0.5 as from 0), tied, won.
    expect(winRate(challenger, baseline, [0, 0, 1, 1], oil)).toBe(0.75);
    expect(winRate(baseline, challenger, [0, 0, 1, 1], oil)).toBe(0.25);
  });

  it('ignores nearer images of other prompts', () => {
    // For prompt bus, 0.25 is the apple in oil: far from the bus in oil, so the baseline at 0.5 wins.
    expect(winRate(flat(0.25), flat(0.5), [1], oil)).toBe(0);
  });

  it('refuses samples that do not correspond, and prompts without a preferred image', () => {
    expect(() => winRate(flat(0, 0), flat(0), [0, 0], oil)).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    );
    const onlyApples = oil.filter((index) => oil.labels[index] === 0);
    expect(() => winRate(flat(0), flat(0), [1], onlyApples)).toThrow(
      expect.objectContaining({ code: 'MISSING_DATA', problem: expect.stringContaining('bus') }),
    );
  });
});
