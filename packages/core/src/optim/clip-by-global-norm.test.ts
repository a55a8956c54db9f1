// Clipping by the global norm: the norm, the scaled gradients, and what is refused.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { tensor } from '../ops/creation.js';
import { clipByGlobalNorm } from './clip-by-global-norm.js';

describe.each(devices)('clipByGlobalNorm on %s', (device) => {
  useDevice(device);
  const gradients = () =>
    new Map([
      [
        'a',
        tensor([
          [3, 0],
          [0, 4],
        ]),
      ],
      ['b', tensor([12])],
    ]);

  it('measures all gradients together and scales them to the limit', async () => {
    const { grads, norm } = clipByGlobalNorm(gradients(), 6.5);
    expect(await norm.item()).toBeCloseTo(13, 5);
    const expected = [3, 0, 0, 4].map((x) => (x * 6.5) / (13 + 1e-6));
    Array.from((await grads.get('a')?.data()) ?? []).forEach((x, i) => {
      expect(x).toBeCloseTo(Number(expected[i]), 6);
    });
    expect(await grads.get('b')?.item()).toBeCloseTo((12 * 6.5) / (13 + 1e-6), 5);
  });

  it('leaves gradients below the limit alone', async () => {
    const { grads, norm } = clipByGlobalNorm(gradients(), 14);
    expect(await norm.item()).toBeCloseTo(13, 5);
    expect(Array.from((await grads.get('a')?.data()) ?? [])).toEqual([3, 0, 0, 4]);
    expect(await grads.get('b')?.item()).toBe(12);
  });

  it('shows in the norm that a gradient is not finite', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { norm } = clipByGlobalNorm(new Map([...gradients(), ['c', tensor([bad])]]), 1);
      expect(Number.isFinite(await norm.item())).toBe(false);
    }
  });

  it('refuses no gradients and a limit that is not positive', () => {
    expect(() => clipByGlobalNorm(new Map(), 1)).toThrow('no gradients');
    expect(() => clipByGlobalNorm(gradients(), 0)).toThrow('maxNorm 0');
  });
});
