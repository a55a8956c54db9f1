// Sinusoidal embeddings against values of diffusers' own tests.
import { arange } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { timestepEmbedding } from './embeddings.js';

describe.each(devices)('timestep embedding on %s', (device) => {
  useDevice(device);

  it.each([
    [{}, [0.9646, 0.9804, 0.9892, 0.9615, 0.9787, 0.9882, 0.9582, 0.9769, 0.9872]],
    [
      { freqShift: 0, flipSinToCos: true },
      [0.3019, 0.228, 0.1716, 0.3146, 0.2377, 0.179, 0.3272, 0.2474, 0.1864],
    ],
    [{ scale: 1000 }, [-0.9801, -0.9464, -0.9349, -0.3952, 0.8887, -0.9709, 0.5299, -0.2853, -0.9927]],
  ])('with %o is that of diffusers', async (options, expected) => {
    const embedding = timestepEmbedding(arange(128), 64, options);
    expect(embedding.shape).toEqual([128, 64]);
    const values = await embedding.slice([23, 47], [26, 50]).data();
    expected.forEach((value, i) => {
      expect(Math.abs(Number(values[i]) - value)).toBeLessThan(1e-3 * Math.abs(value) + 1e-4);
    });
  });
});
