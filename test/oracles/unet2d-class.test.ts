// UNet2DModel with class labels and attention against diffusers: output, loss, and the gradient of everything.
import { realize, type Tensor, valueAndGrad } from '@dmpo/core';
import { UNet2DModel } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { type Fixture, isKeyBias, largestMagnitude, readFixture, relativeError } from './fixture.js';

const tolerances = { reference: 1e-5, cpu: 1e-4, webgpu: 1e-4, gpujs: 1e-4 };

describe.each(devices)('UNet2DModel on %s', (device) => {
  useDevice(device);
  const tolerance = tolerances[device];

  function load(fixture: Fixture): UNet2DModel {
    const unet = new UNet2DModel(JSON.parse(String(fixture.metadata.config)));
    unet.load(fixture.group('param.'));
    return unet;
  }

  it("predicts what diffusers' model predicts", async () => {
    const fixture = await readFixture('unet2d-class');
    const output = load(fixture).forward(fixture.images('in.sample'), fixture.tensor('in.timestep'), {
      classLabels: fixture.tensor('in.class_labels'),
    });
    expect(await relativeError(output, fixture.images('out.sample'))).toBeLessThan(tolerance);
  });

  it('has the same loss and the same gradients', async () => {
    const fixture = await readFixture('unet2d-class');
    const unet = load(fixture);
    const sample = fixture.images('in.sample');
    const {
      value,
      grads: [sampleGradient, ...gradients],
    } = valueAndGrad(
      () =>
        unet
          .forward(sample, fixture.tensor('in.timestep'), { classLabels: fixture.tensor('in.class_labels') })
          .sub(fixture.images('in.target'))
          .square()
          .mean(),
      [sample, ...unet.parameters().values()],
    );
    realize(value, sampleGradient, ...gradients);
    const grads = new Map([...unet.parameters().keys()].map((name, i) => [name, gradients[i] as Tensor]));
    const lossError = (await value.item()) / (await fixture.tensor('out.loss').item()) - 1;
    expect(Math.abs(lossError)).toBeLessThan(tolerance);

    const sampleError = await relativeError(sampleGradient, fixture.images('grad.in.sample'));
    expect(sampleError).toBeLessThan(tolerance);

    const expected = fixture.group('grad.param.');
    const actual = unet.stateDict(grads);
    expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
    const magnitudes = await Promise.all(
      Array.from(expected.values(), async (gradient) => largestMagnitude(await gradient.data())),
    );
    const largest = largestMagnitude(magnitudes);
    const wrong: [string, number][] = [];
    for (const [name, gradient] of actual) {
      const wanted = fixture.tensor(`grad.param.${name}`);
      const withinTolerance = isKeyBias(name)
        ? (await relativeError(gradient, wanted, largest)) < 1e-5
        : (await relativeError(gradient, wanted)) < tolerance;
      if (!withinTolerance) wrong.push([name, await relativeError(gradient, wanted)]);
    }
    expect(wrong).toEqual([]);
  });
});
