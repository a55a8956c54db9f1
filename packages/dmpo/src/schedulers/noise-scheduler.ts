/** What the schedulers share: adding noise, the velocity, and reading a model's output as a clean sample and as noise. */

import { DmpoError, embedding, type Generator, Tensor, tensor } from '@dmpo/core';
import type { SchedulerConfig } from './config.js';
import { betas, cumulativeAlphas, inferenceTimesteps } from './noise-schedule.js';

/** One timestep per sample: an int32 tensor [batch], or numbers. */
export type Timesteps = Tensor | readonly number[];

export interface StepOptions {
  /** Draws the step's noise. */
  readonly generator?: Generator;
  /** The step's noise, of the sample's shape, instead of a generator. */
  readonly noise?: Tensor;
  /** For schedulers that let the amount of noise be chosen (DDIM). */
  readonly eta?: number;
  /** For schedulers that use the predicted noise (DDIM): derive it again from the clipped clean sample. Default false. */
  readonly useClippedModelOutput?: boolean;
}

export interface SchedulerStep {
  /** The sample at the previous (less noisy) timestep. */
  readonly prevSample: Tensor;
  /** The clean sample that the model's output amounts to, clipped where the configuration says so. */
  readonly predOriginalSample: Tensor;
}

/** A diffusion process in discrete time: how training adds noise, and how inference takes it away again step by step. */
export abstract class NoiseScheduler<Config extends SchedulerConfig = SchedulerConfig> {
  /** Variance added at each training timestep. */
  readonly betas: Float32Array;
  /** Share of the signal's variance left at each training timestep. */
  readonly alphasCumprod: Float32Array;
  /** The timesteps of inference, descending; every training timestep until `setTimesteps` is called. */
  timesteps: readonly number[];
  /** How many steps `setTimesteps` asked for; undefined before. */
  numInferenceSteps: number | undefined;
  readonly #signalScale: Float32Array;
  readonly #noiseScale: Float32Array;

  /** @param config complete, with defaults filled in; the keys of diffusers' scheduler_config.json */
  protected constructor(readonly config: Config) {
    this.betas = betas(config);
    this.alphasCumprod = cumulativeAlphas(this.betas);
    this.#signalScale = this.alphasCumprod.map(Math.sqrt);
    this.#noiseScale = this.alphasCumprod.map((alpha) => Math.sqrt(1 - alpha));
    this.timesteps = Array.from(this.betas.keys()).reverse();
  }

  /** Chooses the timesteps of `steps` steps of inference. Throws `UNSUPPORTED_CONFIG_VALUE` for more steps than were trained. */
  setTimesteps(steps: number): void {
    this.timesteps = inferenceTimesteps(steps, this.config);
    this.numInferenceSteps = steps;
  }

  /** From timestep t, one of `timesteps`, to the previous one. `modelOutput` and `sample` have the same shape. */
  abstract step(modelOutput: Tensor, t: number, sample: Tensor, options?: StepOptions): SchedulerStep;

  /** Whether the step from timestep t takes noise, from a generator or given. */
  abstract addsNoise(t: number, eta?: number): boolean;

  /** x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, for samples [batch, ...] and one timestep each. */
  addNoise(originalSamples: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    const { signal, noiseLevel } = this.#scales(timesteps, originalSamples);
    return originalSamples.mul(signal).add(noise.mul(noiseLevel));
  }

  /** v_t = sqrt(abar_t) noise - sqrt(1 - abar_t) x_0: what a v-prediction model is trained to output. */
  getVelocity(sample: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    const { signal, noiseLevel } = this.#scales(timesteps, sample);
    return noise.mul(signal).sub(sample.mul(noiseLevel));
  }

  /** The clean sample, clipped where the configuration says so, and the noise that `modelOutput` amounts to at timestep t. */
  protected predictions(modelOutput: Tensor, t: number, sample: Tensor): { original: Tensor; noise: Tensor } {
    this.#checkTimestep(t);
    const signal = this.#signalScale[t] as number;
    const noiseLevel = this.#noiseScale[t] as number;
    const type = this.config.prediction_type;
    switch (type) {
      case 'epsilon':
        if (signal === 0)
          throw new DmpoError(
            'NO_SIGNAL_LEFT',
            `At timestep ${t} nothing of the sample is left (rescale_betas_zero_snr), so that the noise does not determine it.`,
            'Use a model with prediction_type "v_prediction" or "sample", or leave rescale_betas_zero_snr off.',
          );
        return {
          original: this.#clip(sample.sub(modelOutput.mul(noiseLevel)).div(signal)),
          noise: modelOutput,
        };
      case 'sample':
        return {
          original: this.#clip(modelOutput),
          noise: sample.sub(modelOutput.mul(signal)).div(noiseLevel),
        };
      case 'v_prediction':
        return {
          original: this.#clip(sample.mul(signal).sub(modelOutput.mul(noiseLevel))),
          noise: modelOutput.mul(signal).add(sample.mul(noiseLevel)),
        };
      default:
        return type satisfies never;
    }
  }

  #clip(original: Tensor): Tensor {
    const range = this.config.clip_sample_range;
    return this.config.clip_sample ? original.clamp(-range, range) : original;
  }

  /** sqrt(abar) and sqrt(1 - abar) at the timesteps, shaped to multiply `samples`. */
  #scales(timesteps: Timesteps, samples: Tensor): { signal: Tensor; noiseLevel: Tensor } {
    const batch = timesteps instanceof Tensor ? timesteps.shape[0] : timesteps.length;
    if (batch !== samples.shape[0] || (timesteps instanceof Tensor && timesteps.shape.length !== 1))
      throw new DmpoError(
        'SHAPE_MISMATCH',
        `Got ${timesteps instanceof Tensor ? `timesteps of shape [${timesteps.shape}]` : `${batch} timesteps`} for samples of shape [${samples.shape}].`,
        'Give one timestep per sample.',
      );
    const shape = samples.shape.map((size, axis) => (axis === 0 ? size : 1));
    return {
      signal: this.#lookUp(this.#signalScale, timesteps).reshape(shape),
      noiseLevel: this.#lookUp(this.#noiseScale, timesteps).reshape(shape),
    };
  }

  #lookUp(table: Float32Array, timesteps: Timesteps): Tensor {
    if (timesteps instanceof Tensor) return embedding(tensor(table, [table.length, 1]), timesteps);
    const values = timesteps.map((t) => {
      this.#checkTimestep(t);
      return table[t] as number;
    });
    return tensor(Float32Array.from(values), [values.length]);
  }

  #checkTimestep(t: number): void {
    if (!Number.isInteger(t) || t < 0 || t >= this.alphasCumprod.length)
      throw new DmpoError(
        'BAD_ARGUMENT',
        `Timestep ${t}.`,
        `Timesteps are whole numbers from 0 to ${this.alphasCumprod.length - 1}.`,
      );
  }
}

/** The noise of a step that needs some. */
export function drawNoise({ generator, noise }: StepOptions, shape: readonly number[]): Tensor {
  if ((generator === undefined) === (noise === undefined))
    throw new DmpoError(
      'BAD_ARGUMENT',
      generator
        ? 'A scheduler step got both a generator and noise.'
        : 'This scheduler step adds noise and got none.',
      'Pass either `generator` or `noise`.',
    );
  return noise ?? (generator as Generator).normal(shape);
}
