// Noising and DDIM trajectories against diffusers, for given model outputs.
import { DDIMScheduler, DDPMScheduler } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { readFixture, relativeError, toChannelsLast } from './fixture.js';

const tolerances = { reference: 1e-5, cpu: 1e-4, webgpu: 1e-4, gpujs: 1e-4 };
const config = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' } as const;

describe.each(devices)('schedulers on %s', (device) => {
  useDevice(device);
  const tolerance = tolerances[device];

  it.each(['tensor', 'numbers'])('add noise and give velocities at timesteps given as %s', async (form) => {
    const fixture = await readFixture('schedulers');
    const [sample, noise, t] = [fixture.images('in.x0'), fixture.images('in.noise'), fixture.tensor('in.t')];
    const timesteps = form === 'tensor' ? t : Array.from(await t.data());
    const scheduler = new DDPMScheduler(config);
    const noisy = scheduler.addNoise(sample, noise, timesteps);
    const velocity = scheduler.getVelocity(sample, noise, timesteps);
    expect(await relativeError(noisy, fixture.images('out.add_noise'))).toBeLessThan(tolerance);
    expect(await relativeError(velocity, fixture.images('out.velocity'))).toBeLessThan(tolerance);
  });

  it("walk diffusers' DDIM trajectory, from cumulative alphas that agree to the last bit", async () => {
    const fixture = await readFixture('schedulers');
    const scheduler = new DDIMScheduler({
      ...config,
      clip_sample: false,
      set_alpha_to_one: false,
      steps_offset: 1,
    });
    const alphas = await fixture.tensor('out.alphas_cumprod').data();
    expect(Array.from(scheduler.alphasCumprod)).toEqual(Array.from(alphas));
    scheduler.setTimesteps(10);
    expect(scheduler.timesteps).toEqual(Array.from(await fixture.tensor('out.ddim.timesteps').data()));

    const outputs = toChannelsLast(fixture.tensor('in.model_outputs'));
    const trajectory = toChannelsLast(fixture.tensor('out.ddim.trajectory'));
    let sample = fixture.images('in.start');
    for (const [step, t] of scheduler.timesteps.entries()) {
      const output = outputs.sliceAxis(0, step, step + 1).squeeze(0);
      sample = scheduler.step(output, t, sample).prevSample;
      const expected = trajectory.sliceAxis(0, step, step + 1).squeeze(0);
      expect(await relativeError(sample, expected)).toBeLessThan(tolerance);
    }
  });
});
