// Betas, cumulative alphas and inference timesteps against values published for diffusers and PyTorch.
import { describe, expect, it } from 'vitest';
import { DDIMScheduler } from './ddim-scheduler.js';
import { DDPMScheduler } from './ddpm-scheduler.js';

describe('noise schedules', () => {
  it("have Stable Diffusion's cumulative alphas", () => {
    const { alphasCumprod } = new DDPMScheduler({
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: 'scaled_linear',
    });
    const known = { 0: 0.99915, 100: 0.894223, 500: 0.276333, 999: 0.0046601 };
    for (const [t, alpha] of Object.entries(known))
      expect(Math.abs(Number(alphasCumprod[Number(t)]) - alpha)).toBeLessThan(1e-6);
  });

  it('go from beta_start to beta_end in equal steps when linear', () => {
    const { betas } = new DDPMScheduler({ beta_start: 0.1, beta_end: 0.5, num_train_timesteps: 5 });
    expect(Array.from(betas)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5].map(Math.fround));
  });

  it('follow the squared cosine, up to the cap', () => {
    const { alphasCumprod, betas } = new DDPMScheduler({ beta_schedule: 'squaredcos_cap_v2' });
    const share = (time: number) => Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2;
    for (const t of [0, 250, 500, 990])
      expect(alphasCumprod[t]).toBeCloseTo(share((t + 1) / 1000) / share(0), 5);
    expect(betas[999]).toBe(Math.fround(0.999));
  });

  it('take given betas', () => {
    const { alphasCumprod } = new DDPMScheduler({ num_train_timesteps: 2, trained_betas: [0.25, 0.5] });
    expect(Array.from(alphasCumprod)).toEqual([0.75, 0.375]);
    expect(() => new DDPMScheduler({ num_train_timesteps: 3, trained_betas: [0.25, 0.5] })).toThrow(
      '2 values',
    );
  });

  it('end without any signal when rescaled to zero terminal SNR, and begin as before', () => {
    const plain = new DDPMScheduler({});
    const { alphasCumprod } = new DDPMScheduler({ rescale_betas_zero_snr: true });
    expect(alphasCumprod[999]).toBe(0);
    expect(alphasCumprod[0]).toBeCloseTo(Number(plain.alphasCumprod[0]), 6);
    const last = Math.sqrt(Number(plain.alphasCumprod[999]));
    const first = Math.sqrt(Number(plain.alphasCumprod[0]));
    const root = ((Math.sqrt(Number(plain.alphasCumprod[500])) - last) * first) / (first - last);
    expect(alphasCumprod[500]).toBeCloseTo(root ** 2, 5);
  });
});

describe('inference timesteps', () => {
  const timesteps = (config: ConstructorParameters<typeof DDIMScheduler>[0], steps: number) => {
    const scheduler = new DDIMScheduler(config);
    scheduler.setTimesteps(steps);
    return scheduler.timesteps;
  };

  it('lead, with an offset', () => {
    expect(timesteps({}, 4)).toEqual([750, 500, 250, 0]);
    expect(timesteps({ steps_offset: 1 }, 5)).toEqual([801, 601, 401, 201, 1]);
  });

  it('span all of training when linspaced, rounding halves to even', () => {
    expect(timesteps({ timestep_spacing: 'linspace' }, 5)).toEqual([999, 749, 500, 250, 0]);
    expect(timesteps({ timestep_spacing: 'linspace', num_train_timesteps: 6 }, 3)).toEqual([5, 2, 0]);
  });

  it('trail', () => {
    expect(timesteps({ timestep_spacing: 'trailing' }, 4)).toEqual([999, 749, 499, 249]);
    expect(timesteps({ timestep_spacing: 'trailing' }, 3)).toEqual([999, 666, 332]);
    expect(timesteps({ timestep_spacing: 'trailing', num_train_timesteps: 10 }, 4)).toEqual([9, 7, 4, 1]);
  });

  it.each([0, -1, 2.5, 1001, Number.NaN])('refuse %s steps', (steps) => {
    expect(() => new DDIMScheduler({}).setTimesteps(steps)).toThrow(`${steps} inference steps`);
  });

  it('refuse an offset that leaves the trained range', () => {
    expect(() => new DDIMScheduler({ steps_offset: 1 }).setTimesteps(1000)).toThrow('steps_offset 1');
  });
});

describe('scheduler configurations', () => {
  it('name an unknown key and the nearest known one', () => {
    const config: object = { beta_begin: 0.1 };
    expect(() => new DDIMScheduler(config)).toThrow('Unknown key "beta_begin". Did you mean "beta_end"?');
  });

  it.each([
    [
      { beta_schedule: 'sigmoid' },
      'beta_schedule is "sigmoid"; supported: "linear", "scaled_linear", "squaredcos_cap_v2"',
    ],
    [{ prediction_type: 'flow' }, 'prediction_type is "flow"'],
    [{ thresholding: true }, 'thresholding is true; supported: false'],
    [{ variance_type: 'learned_range' }, 'variance_type is "learned_range"'],
    [{ num_train_timesteps: 0 }, 'num_train_timesteps is 0'],
    [{ _class_name: 'PNDMScheduler' }, '_class_name is "PNDMScheduler"; supported: "DDPMScheduler"'],
  ])('refuse %o by name', (config, message) => {
    const construct = () => new DDPMScheduler(config as ConstructorParameters<typeof DDPMScheduler>[0]);
    expect(construct).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_CONFIG_VALUE' }));
    expect(construct).toThrow(message);
  });

  it('are complete, and carry over to the other scheduler', () => {
    const { config } = new DDPMScheduler({ prediction_type: 'v_prediction', variance_type: 'fixed_large' });
    expect(config).toMatchObject({
      _class_name: 'DDPMScheduler',
      beta_schedule: 'linear',
      clip_sample: true,
    });
    const ddim = DDIMScheduler.fromConfig(config);
    expect(ddim.config).toMatchObject({ _class_name: 'DDIMScheduler', prediction_type: 'v_prediction' });
    expect(ddim.config).not.toHaveProperty('variance_type');
    expect(DDPMScheduler.fromConfig(ddim.config).config.prediction_type).toBe('v_prediction');
    expect(() => DDIMScheduler.fromConfig({ predictiontype: 'sample' })).toThrow(
      'Did you mean "prediction_type"',
    );
  });
});
