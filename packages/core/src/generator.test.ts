// Random tensors: the same bits on every device, streams that do not repeat, distributions, saved states, mistakes.

import { type Device, openDevice } from '@dmpo/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../test/devices.js';
import { Generator } from './generator.js';
import { setDevice } from './realize.js';
import type { Tensor } from './tensor.js';
import { expectSameBits } from './testing/data.js';
import { expectError } from './testing/errors.js';
import { numbers } from './testing/read.js';

const COUNT = 20_000;

const draws: [string, (generator: Generator, shape: number[]) => Tensor][] = [
  ['normal', (generator, shape) => generator.normal(shape)],
  ['uniform', (generator, shape) => generator.uniform(shape)],
  ['bits', (generator, shape) => generator.bits(shape)],
  ['integers', (generator, shape) => generator.integers(-5, 2 ** 24 - 8, shape)],
];

describe.each(devices)('a generator on %s', (deviceName) => {
  const device = useDevice(deviceName);
  let reference: Device;
  beforeAll(async () => {
    reference = await openDevice('reference');
  });
  afterAll(() => reference.close());

  it.each(draws)('draws %s with the bits of the reference device', async (_, draw) => {
    const values: number[][] = [];
    for (const on of [reference, device()]) {
      setDevice(on);
      values.push(await numbers(draw(new Generator(123456789, 7), [COUNT])));
    }
    expectSameBits(values[1], values[0], 'random numbers');
  });

  it.each(draws)('draws %s that depend on seed, call and position only', async (_, draw) => {
    const generator = new Generator(1);
    const [first, second] = [draw(generator, [6, 8]), draw(generator, [6, 8])];
    const values = await numbers(first);
    expect(new Set([...values, ...(await numbers(second))]).size).toBeGreaterThan(80);
    expect(await numbers(draw(new Generator(2), [6, 8]))).not.toEqual(values);
    expect(await numbers(draw(new Generator(1), [48]))).toEqual(values);
    // Through views, and inside another expression.
    const part = draw(new Generator(1), [6, 8]).slice([2, 0], [4, 8]).transpose();
    const expected = Array.from({ length: 16 }, (_, i) => values[16 + 8 * (i % 2) + (i >> 1)]);
    expect(await numbers(part)).toEqual(expected);
    expect(await numbers(part.add(part).sub(part))).toEqual(expected);
  });

  it('continues from a saved state', async () => {
    const generator = new Generator(99);
    generator.normal([3]);
    const { state } = generator;
    const next = await numbers(generator.normal([3]));
    const restored = new Generator(0);
    restored.state = JSON.parse(JSON.stringify(state));
    expect(await numbers(restored.normal([3]))).toEqual(next);
    expect(restored.state).toEqual(generator.state);
  });

  it('has the moments of the standard normal distribution', async () => {
    const values = await numbers(new Generator(2024).normal([COUNT]));
    const moment = (order: number) => values.reduce((sum, x) => sum + x ** order, 0) / COUNT;
    // Four standard errors each: the variances of x, x^2, x^3 and x^4 are 1, 2, 15 and 96.
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / COUNT));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / COUNT));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / COUNT));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / COUNT));
  });

  it('spreads uniform numbers and integers evenly', async () => {
    const uniform = await numbers(new Generator(5).uniform([COUNT]));
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    const integers = await numbers(new Generator(6).integers(-3, 7, [COUNT]));
    for (const list of [uniform.map((x) => Math.floor(10 * x)), integers.map((x) => x + 3)]) {
      const counts = Array.from({ length: 10 }, (_, bin) => list.filter((x) => x === bin).length);
      const chiSquared = counts.reduce((sum, n) => sum + (n - COUNT / 10) ** 2 / (COUNT / 10), 0);
      // Nine degrees of freedom: beyond 27.9 once in a thousand times.
      expect(chiSquared).toBeLessThan(27.9);
    }
  });

  it('draws integers over a single number and over the widest range', async () => {
    expect(await numbers(new Generator(1).integers(4, 5, [5]))).toEqual([4, 4, 4, 4, 4]);
    const wide = await numbers(new Generator(1).integers(0, 2 ** 24, [COUNT]));
    expect(wide.every((x) => Number.isInteger(x) && x >= 0 && x < 2 ** 24)).toBe(true);
    expect(new Set(wide).size).toBeGreaterThan(0.99 * COUNT);
  });
});

describe('mistakes with generators', () => {
  const generator = new Generator(1);

  it.each<[string, () => unknown, string[]]>([
    ['a negative seed', () => new Generator(-1), ['seed -1', '4294967295']],
    ['a fraction of a seed', () => new Generator(0.5), ['seed 0.5']],
    ['a seed beyond 32 bits', () => new Generator(2 ** 32), ['seed 4294967296']],
    ['a counter that is not a number', () => new Generator(1, Number.NaN), ['counter NaN']],
    ['an empty range', () => generator.integers(3, 3, [1]), ['from 3 to 3']],
    ['a range beyond 24 bits', () => generator.integers(0, 2 ** 24 + 1, [1]), ['2^24']],
    ['an empty axis', () => generator.normal([0]), ['[0]']],
  ])('refuses %s', async (_, action, parts) => {
    await expectError(action, 'BAD_ARGUMENT', ...parts);
  });

  it('refuses a broken state', async () => {
    await expectError(
      () => Object.assign(generator, { state: { seed: -1, counter: 0 } }),
      'BAD_ARGUMENT',
      'seed',
    );
  });
});
