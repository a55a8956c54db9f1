// UNet2DModel with class labels and attention against diffusers: output, loss, and the gradient of everything.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { readFixture } from './fixture.js';
import { gradientErrors, outputError } from './unet2d-errors.js';

const tolerances = { reference: 1e-5, cpu: 1e-4, webgpu: 1e-4, gpujs: 1e-4 };

describe.each(devices)('UNet2DModel on %s', (device) => {
  useDevice(device);
  const tolerance = tolerances[device];

  it("predicts what diffusers' model predicts", async () => {
    expect(await outputError(await readFixture('unet2d-class'))).toBeLessThan(tolerance);
  });

  it('has the same loss and the same gradients', async () => {
    const { loss, sample, parameters, keyBiases } = await gradientErrors(await readFixture('unet2d-class'));
    expect(loss).toBeLessThan(tolerance);
    expect(sample).toBeLessThan(tolerance);
    // An error that is not a number is too large as well.
    expect(parameters.filter(([, error]) => !(error < tolerance))).toEqual([]);
    expect(keyBiases.filter(([, error]) => !(error < 1e-5))).toEqual([]);
    expect(parameters.length).toBeGreaterThan(50);
    expect(keyBiases.length).toBeGreaterThan(0);
  });
});
