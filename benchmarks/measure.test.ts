// Statistics, layouts, and the check that keeps the comparison honest.
import { describe, expect, it } from 'vitest';
import { disagreement } from './src/agreement.js';
import { channelsFirst, channelsLast, permute } from './src/host-tensor.js';
import { decodeInputs, encodeInputs } from './src/protocol.js';
import { insertResults } from './src/report/markdown.js';
import { formatNumber, type Results } from './src/results.js';
import { summarize } from './src/statistics.js';
import { targetResults } from './src/targets.js';

describe('summarize', () => {
  it('gives the median and the quartiles in any order of the timings', () => {
    expect(summarize([5, 1, 4, 2, 3])).toEqual({
      repetitions: 5,
      median: 3,
      lowerQuartile: 2,
      upperQuartile: 4,
      minimum: 1,
    });
  });

  it('interpolates between two timings', () => {
    expect(summarize([1, 2])).toMatchObject({ median: 1.5, lowerQuartile: 1.25, upperQuartile: 1.75 });
  });
});

describe('disagreement', () => {
  const output = Float32Array.of(3, 4);

  it('is the relative Euclidean error of the worst output', () => {
    expect(disagreement([output, output], [output, Float32Array.of(3, 4.5)])).toBeCloseTo(0.1, 6);
  });

  it.each([
    ['a value that is not a number', [Float32Array.of(Number.NaN, 4)]],
    ['a missing value', [Float32Array.of(3)]],
    ['a missing output', []],
  ])('is infinite for %s', (_, actual) => {
    expect(disagreement([output], actual)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('layouts', () => {
  const tensor = { shape: [2, 3, 4, 5], data: Float32Array.from({ length: 120 }, (_, i) => i) };

  it('moves channels to the front and back', () => {
    const first = channelsFirst(tensor);
    expect(first.shape).toEqual([2, 5, 3, 4]);
    // Element [1, 2, 3, 4] of NHWC is element [1, 4, 2, 3] of NCHW.
    expect(first.data[((1 * 5 + 4) * 3 + 2) * 4 + 3]).toBe(((1 * 3 + 2) * 4 + 3) * 5 + 4);
    expect(channelsLast(first)).toEqual(tensor);
  });

  it('transposes a matrix', () => {
    const matrix = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    expect(permute(matrix, [1, 0])).toEqual({ shape: [3, 2], data: Float32Array.of(1, 4, 2, 5, 3, 6) });
  });

  it('survive the way to another process', () => {
    const inputs = new Map([['x', tensor]]);
    expect(decodeInputs(JSON.parse(JSON.stringify(encodeInputs(inputs))))).toEqual(inputs);
  });
});

describe('targets', () => {
  it('compare with the fastest variant of a library', () => {
    const timing = (contender: string, median: number) => ({
      ...summarize([median]),
      workload: 'training-step',
      contender,
      disagreement: 0,
    });
    const measurements = [timing('cpu', 200), timing('pytorch', 150), timing('pytorch-channels-last', 120)];
    expect(targetResults(measurements)).toMatchObject([{ library: 'PyTorch', atLeast: 0.5, ratio: 0.6 }]);
  });
});

describe('the report', () => {
  it('keeps three digits', () => {
    expect([0.01234, 0.5, 4.321, 43.21, 1234.5].map(formatNumber)).toEqual([
      '0.012',
      '0.500',
      '4.32',
      '43.2',
      '1,235',
    ]);
  });

  it('refuses a README without markers', () => {
    expect(() => insertResults('# Benchmarks', 'cpu', {} as Results)).toThrow('lacks its markers');
  });
});
