// The moving average: its warm-up, its values in a module and in files, and what it refuses.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { Linear } from '../nn/linear.js';
import { tensor } from '../ops/creation.js';
import { Parameter } from '../parameter.js';
import { update } from '../realize.js';
import { ExponentialMovingAverage } from './exponential-moving-average.js';

describe.each(devices)('ExponentialMovingAverage on %s', (device) => {
  useDevice(device);

  it('starts as a copy', async () => {
    const x = new Parameter(Float32Array.of(1, 2), [2]);
    const average = new ExponentialMovingAverage(new Map([['x', x]]));
    x.assign(Float32Array.of(5, 6));
    expect(Array.from((await average.values.get('x')?.data()) ?? [])).toEqual([1, 2]);
  });

  it('warms its decay up as diffusers does: 0, 2/11, 3/12, ..., up to the limit', async () => {
    const average = new ExponentialMovingAverage(new Map([['x', new Parameter(Float32Array.of(7), [1])]]), {
      decay: 0.3,
    });
    const values = [1, -2, 5, 4, 0.5, 3];
    const decays = [0, 2 / 11, 3 / 12, 0.3, 0.3, 0.3];
    let expected = 7;
    for (const [i, value] of values.entries()) {
      update(average.updates(new Map([['x', tensor([value])]])));
      const decay = Number(decays[i]);
      expected = decay * expected + (1 - decay) * value;
      expect(await average.values.get('x')?.item()).toBeCloseTo(expected, 5);
    }
  });

  it('gives its values to a module to sample from, and files get them in their layout', async () => {
    const [trained, sampled] = [new Linear(2, 1), new Linear(2, 1)];
    const average = new ExponentialMovingAverage(trained.parameters());
    trained.weight.assign(Float32Array.of(8, 9));
    average.copyTo(sampled);
    const kept = Array.from((await average.values.get('weight')?.data()) ?? []);
    expect(Array.from(await sampled.weight.data())).toEqual(kept);
    expect(kept).not.toEqual([8, 9]);
    expect([...trained.stateDict(average.values).keys()]).toEqual(['weight', 'bias']);
  });

  it('refuses values of other parameters', () => {
    const average = new ExponentialMovingAverage(new Map([['x', new Parameter(Float32Array.of(7), [1])]]));
    expect(() => average.updates(new Map([['y', tensor([1])]]))).toThrow('Missing: x. Unexpected: y.');
  });
});
