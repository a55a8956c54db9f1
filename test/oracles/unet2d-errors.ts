// How far UNet2DModel's output, loss and gradients lie from those of diffusers' model, in Node and in pages.
import { realize, type Tensor, valueAndGrad } from '@dmpo/core';
import { UNet2DModel } from '@dmpo/dmpo';
import { type Fixture, isKeyBias, largestMagnitude, relativeError } from './fixture-tensors.js';

export interface GradientErrors {
  readonly loss: number;
  readonly sample: number;
  /** By the parameter's name in the file; a parameter that only one of the two has is infinitely wrong. */
  readonly parameters: [string, number][];
  /** Of the biases whose gradient is nothing but rounding noise, relative to the largest gradient of all. */
  readonly keyBiases: [string, number][];
}

/** Of the predicted noise. */
export async function outputError(fixture: Fixture): Promise<number> {
  const output = predict(load(fixture), fixture, fixture.images('in.sample'));
  return relativeError(output, fixture.images('out.sample'));
}

export async function gradientErrors(fixture: Fixture): Promise<GradientErrors> {
  const unet = load(fixture);
  const sample = fixture.images('in.sample');
  const {
    value,
    grads: [sampleGradient, ...gradients],
  } = valueAndGrad(
    () => predict(unet, fixture, sample).sub(fixture.images('in.target')).square().mean(),
    [sample, ...unet.parameters().values()],
  );
  realize(value, sampleGradient, ...gradients);
  const actual = unet.stateDict(
    new Map([...unet.parameters().keys()].map((name, i) => [name, gradients[i] as Tensor])),
  );
  const expected = fixture.group('grad.param.');
  const magnitudes = await Promise.all(
    Array.from(expected.values(), async (gradient) => largestMagnitude(await gradient.data())),
  );
  const largest = largestMagnitude(magnitudes);
  const names = [...new Set([...actual.keys(), ...expected.keys()])].sort();
  const errors = async (chosen: string[], scale?: number) => {
    const found: [string, number][] = [];
    for (const name of chosen) {
      const [got, wanted] = [actual.get(name), expected.get(name)];
      const error = got && wanted ? await relativeError(got, wanted, scale) : Number.POSITIVE_INFINITY;
      found.push([name, error]);
    }
    return found;
  };
  return {
    loss: Math.abs((await value.item()) / (await fixture.tensor('out.loss').item()) - 1),
    sample: await relativeError(sampleGradient, fixture.images('grad.in.sample')),
    parameters: await errors(names.filter((name) => !isKeyBias(name))),
    keyBiases: await errors(names.filter(isKeyBias), largest),
  };
}

function load(fixture: Fixture): UNet2DModel {
  const unet = new UNet2DModel(JSON.parse(String(fixture.metadata.config)));
  unet.load(fixture.group('param.'));
  return unet;
}

function predict(unet: UNet2DModel, fixture: Fixture, sample: Tensor): Tensor {
  const classLabels = fixture.tensor('in.class_labels');
  return unet.forward(sample, fixture.tensor('in.timestep'), { classLabels });
}
