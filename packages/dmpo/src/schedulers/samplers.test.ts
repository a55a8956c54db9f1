// DDIM and DDPM sampling loops against the sums that diffusers' own tests expect of a stand-in model.
import { Generator, nn, realize, type Tensor, tensor } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { useDevice } from '../../../../test/devices.js';
import { type DDIMConfig, DDIMScheduler } from './ddim-scheduler.js';
import { type DDPMConfig, DDPMScheduler } from './ddpm-scheduler.js';

const shape = [4, 3, 8, 8];
const count = 768;

/** 0, 1/768, 2/768, ... laid out [channel, height, width, batch], read as [batch, channel, height, width]. */
const ramp = () =>
  tensor(
    Float64Array.from({ length: count }, (_, i) => i / count),
    [3, 8, 8, 4],
  ).permute(3, 0, 1, 2);
/** The same numbers in reverse. */
const reversedRamp = () =>
  tensor(
    Float64Array.from({ length: count }, (_, i) => (count - 1 - i) / count),
    [3, 8, 8, 4],
  ).permute(3, 0, 1, 2);
const model = (sample: Tensor, t: number) => sample.mul(t / (t + 1));

async function expectSumAndMean(sample: Tensor, sum: number, mean: number): Promise<void> {
  const values = Array.from(await sample.data());
  const total = values.reduce((sum, value) => sum + Math.abs(value), 0);
  expect(Math.abs(total - sum)).toBeLessThan(1e-2);
  expect(Math.abs(total / count - mean)).toBeLessThan(1e-3);
}

describe('DDIM', () => {
  useDevice('reference');

  async function loop(config: DDIMConfig, first = 0, start = ramp()): Promise<Tensor> {
    const scheduler = new DDIMScheduler(config);
    scheduler.setTimesteps(10);
    let sample =
      first === 0
        ? start
        : scheduler.addNoise(start, reversedRamp(), Array(4).fill(scheduler.timesteps[first]));
    for (const t of scheduler.timesteps.slice(first))
      sample = scheduler.step(model(sample, t), t, sample).prevSample;
    return sample;
  }

  it.each<[string, DDIMConfig, number, number]>([
    ['predicting noise', {}, 172.0067, 0.223967],
    ['predicting velocity', { prediction_type: 'v_prediction' }, 52.5302, 0.0684],
    ['with final alpha 1', { beta_start: 0.01, set_alpha_to_one: true }, 149.8295, 0.1951],
    ['with the first final alpha', { beta_start: 0.01, set_alpha_to_one: false }, 149.0784, 0.1941],
  ])('samples as in diffusers %s', async (_, config, sum, mean) => {
    await expectSumAndMean(await loop(config), sum, mean);
  });

  it('samples as in diffusers from a noised sample', async () => {
    await expectSumAndMean(await loop({}, 8), 354.5418, 0.4616);
  });

  it.each([
    [0, 0, 0],
    [420, 400, 0.14771],
    [980, 960, 0.3246],
    [487, 486, 0.00979],
    [999, 998, 0.02],
  ])('has the variance of a step from %s to %s', (t, previous, variance) => {
    expect(Math.abs(new DDIMScheduler().variance(t, previous) - variance)).toBeLessThan(1e-5);
  });

  it('adds eta times the standard deviation of noise', async () => {
    const scheduler = new DDIMScheduler();
    scheduler.setTimesteps(10);
    const [sample, noise] = [ramp(), reversedRamp()];
    const step = (eta: number) => scheduler.step(model(sample, 500), 500, sample, { eta, noise });
    const deviation = 0.5 * Math.sqrt(scheduler.variance(500, 400));
    const alpha = Number(scheduler.alphasCumprod[400]);
    const [noisy, original] = [step(0.5).prevSample, step(0).predOriginalSample];
    const expected = original
      .mul(Math.sqrt(alpha))
      .add(model(sample, 500).mul(Math.sqrt(1 - alpha - deviation ** 2)))
      .add(noise.mul(deviation));
    expect(await noisy.sub(expected).abs().max().item()).toBeLessThan(1e-6);
    expect(await noisy.sub(step(0).prevSample).abs().max().item()).toBeGreaterThan(0.1);
  });

  it('can derive the noise again from the clipped sample', async () => {
    const scheduler = new DDIMScheduler();
    scheduler.setTimesteps(10);
    const sample = ramp().mul(30);
    const { prevSample, predOriginalSample } = scheduler.step(model(sample, 900), 900, sample, {
      useClippedModelOutput: true,
    });
    const [alpha, previous] = [Number(scheduler.alphasCumprod[900]), Number(scheduler.alphasCumprod[800])];
    const noise = sample.sub(predOriginalSample.mul(Math.sqrt(alpha))).div(Math.sqrt(1 - alpha));
    const expected = predOriginalSample.mul(Math.sqrt(previous)).add(noise.mul(Math.sqrt(1 - previous)));
    expect(await predOriginalSample.abs().max().item()).toBe(1);
    expect(await prevSample.sub(expected).abs().max().item()).toBeLessThan(1e-6);
  });

  it('clips to clip_sample_range', async () => {
    const scheduler = new DDIMScheduler({ clip_sample_range: 0.25, prediction_type: 'sample' });
    scheduler.setTimesteps(2);
    const { predOriginalSample } = scheduler.step(ramp().sub(0.5), 500, ramp());
    expect(await predOriginalSample.max().item()).toBe(0.25);
    expect(await predOriginalSample.min().item()).toBe(-0.25);
  });

  it('agrees with itself whichever way the same prediction is expressed', async () => {
    const t = 500;
    const results = (['epsilon', 'sample', 'v_prediction'] as const).map((prediction_type) => {
      const scheduler = new DDIMScheduler({ prediction_type, clip_sample: false });
      scheduler.setTimesteps(10);
      const [original, noise, ts] = [ramp(), reversedRamp(), Array(4).fill(t)];
      const output = {
        epsilon: noise,
        sample: original,
        v_prediction: scheduler.getVelocity(original, noise, ts),
      };
      return scheduler.step(output[prediction_type], t, scheduler.addNoise(original, noise, ts)).prevSample;
    });
    const [epsilon, ...others] = results as [Tensor, ...Tensor[]];
    for (const other of others) expect(await other.sub(epsilon).abs().max().item()).toBeLessThan(1e-6);
  });

  it('refuses to step before setTimesteps, at an unknown timestep, and without its noise', () => {
    const scheduler = new DDIMScheduler();
    expect(() => scheduler.step(ramp(), 500, ramp())).toThrow('setTimesteps');
    scheduler.setTimesteps(10);
    expect(() => scheduler.step(ramp(), 1000, ramp())).toThrow('Timestep 1000');
    expect(() => scheduler.step(ramp(), 500, ramp(), { eta: 1 })).toThrow('adds noise and got none');
    expect(() => scheduler.step(ramp(), 500, ramp(), { eta: 1.5, noise: ramp() })).toThrow('eta is 1.5');
    expect(() =>
      scheduler.step(ramp(), 500, ramp(), { eta: 1, noise: ramp(), generator: new Generator(0) }),
    ).toThrow('both a generator and noise');
  });

  it('refuses to divide by a signal of zero', () => {
    const scheduler = new DDIMScheduler({ rescale_betas_zero_snr: true, timestep_spacing: 'trailing' });
    scheduler.setTimesteps(10);
    expect(() => scheduler.step(ramp(), 999, ramp())).toThrow('v_prediction');
  });

  it('refuses one timestep too few', () => {
    expect(() => new DDIMScheduler().addNoise(ramp(), ramp(), [1, 2, 3])).toThrow('one timestep per sample');
  });
});

describe('DDPM', () => {
  useDevice('reference');

  /** Steps through `timesteps` with the noise that PyTorch draws from seed 0. */
  async function loop(config: DDPMConfig, timesteps: readonly number[], start: Tensor): Promise<Tensor> {
    const scheduler = new DDPMScheduler(config);
    const generator = new nn.HostGenerator(0);
    let sample = start;
    for (const t of timesteps) {
      const noise = t > 0 ? { noise: tensor(generator.normal(count), shape) } : {};
      sample = scheduler.step(model(sample, t), t, sample, noise).prevSample;
      realize(sample);
    }
    return sample;
  }

  it.each<[string, DDPMConfig, number, number]>([
    ['predicting noise', {}, 258.9606, 0.3372],
    ['predicting velocity', { prediction_type: 'v_prediction' }, 202.0296, 0.2631],
  ])('samples as in diffusers %s', async (_, config, sum, mean) => {
    const everyTimestep = Array.from({ length: 1000 }, (_, i) => 999 - i);
    await expectSumAndMean(await loop(config, everyTimestep, ramp()), sum, mean);
  });

  it('samples as in diffusers from a noised sample', async () => {
    const noised = new DDPMScheduler().addNoise(ramp(), reversedRamp(), Array(4).fill(1));
    await expectSumAndMean(await loop({}, [1, 0], noised), 387.9466, 0.5051);
  });

  it.each([
    ['fixed_small', 0, 0],
    ['fixed_small', 487, 0.00979],
    ['fixed_small', 999, 0.02],
    ['fixed_small_log', 487, 0.00979],
    ['fixed_large', 487, 0.0098],
    ['fixed_large', 999, 0.02],
  ] as const)('has the %s variance at timestep %s', (variance_type, t, variance) => {
    expect(new DDPMScheduler({ variance_type }).variance(t)).toBeCloseTo(variance, 5);
  });

  it('takes the steps that setTimesteps chose', () => {
    const scheduler = new DDPMScheduler();
    scheduler.setTimesteps(4);
    const [alpha, previous] = [Number(scheduler.alphasCumprod[500]), Number(scheduler.alphasCumprod[250])];
    expect(scheduler.variance(500)).toBeCloseTo(((1 - previous) / (1 - alpha)) * (1 - alpha / previous), 7);
    expect(() => scheduler.variance(501)).toThrow('Timestep 501 is not among');
  });

  it('needs no noise at the last step, and refuses any other step without', () => {
    const scheduler = new DDPMScheduler();
    expect(scheduler.step(ramp(), 0, ramp()).prevSample.shape).toEqual(shape);
    expect(() => scheduler.step(ramp(), 1, ramp())).toThrow('Pass either `generator` or `noise`');
  });
});
