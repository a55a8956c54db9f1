/**
 * The numbers of a diffusion process: betas, cumulative products of alphas, and the timesteps that inference visits.
 * All as PyTorch computes them in float32, so that schedules agree with diffusers to the last bit.
 */

import { configError } from '../config.js';

export type BetaSchedule = 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
export type TimestepSpacing = 'leading' | 'linspace' | 'trailing';

export interface BetaOptions {
  readonly num_train_timesteps: number;
  readonly beta_start: number;
  readonly beta_end: number;
  readonly beta_schedule: BetaSchedule;
  readonly trained_betas?: readonly number[] | null;
  readonly rescale_betas_zero_snr: boolean;
}

/** The variance added at each training timestep. */
export function betas(options: BetaOptions): Float32Array {
  const unscaled = unscaledBetas(options);
  return options.rescale_betas_zero_snr ? rescaleZeroTerminalSnr(unscaled) : unscaled;
}

/** prod_{s <= t} (1 - beta_s): the share of the signal's variance left at timestep t. */
export function cumulativeAlphas(betas: Float32Array): Float32Array {
  let product = 1; // in double precision, rounded at each step when stored: what torch.cumprod does
  return betas.map((beta) => {
    product *= Math.fround(1 - beta);
    return product;
  });
}

export interface InferenceTimestepOptions {
  readonly num_train_timesteps: number;
  readonly timestep_spacing: TimestepSpacing;
  readonly steps_offset: number;
}

/** The training timesteps that `steps` steps of inference visit, in descending order. */
export function inferenceTimesteps(steps: number, options: InferenceTimestepOptions): number[] {
  const { num_train_timesteps: trained, timestep_spacing: spacing, steps_offset: offset } = options;
  if (!Number.isInteger(steps) || steps < 1 || steps > trained)
    throw configError('Scheduler', `${steps} inference steps.`, `Use a whole number from 1 to ${trained}.`);
  const timesteps = Array.from({ length: steps }, (_, i) => {
    switch (spacing) {
      case 'leading':
        return (steps - 1 - i) * Math.floor(trained / steps) + offset;
      case 'linspace':
        return steps === 1 ? 0 : roundHalfToEven(((trained - 1) * (steps - 1 - i)) / (steps - 1));
      case 'trailing':
        return roundHalfToEven(trained - i * (trained / steps)) - 1;
      default:
        return spacing satisfies never;
    }
  });
  if (timesteps.some((timestep) => timestep < 0 || timestep >= trained))
    throw configError(
      'Scheduler',
      `steps_offset ${offset} puts ${steps} steps at timesteps ${timesteps.at(-1)} to ${timesteps[0]}.`,
      `Timesteps go from 0 to ${trained - 1}: use fewer steps or a smaller steps_offset.`,
    );
  return timesteps;
}

function unscaledBetas(options: BetaOptions): Float32Array {
  const { num_train_timesteps: count, beta_start: start, beta_end: end } = options;
  if (options.trained_betas) {
    if (options.trained_betas.length !== count)
      throw configError(
        'Scheduler',
        `trained_betas has ${options.trained_betas.length} values, num_train_timesteps is ${count}.`,
        'Give one beta per training timestep.',
      );
    return Float32Array.from(options.trained_betas);
  }
  switch (options.beta_schedule) {
    case 'linear':
      return linearlySpaced(start, end, count);
    case 'scaled_linear':
      return linearlySpaced(Math.sqrt(start), Math.sqrt(end), count).map((root) => root * root);
    case 'squaredcos_cap_v2':
      return Float32Array.from({ length: count }, (_, i) =>
        Math.min(1 - squaredCosine((i + 1) / count) / squaredCosine(i / count), 0.999),
      );
    default:
      return options.beta_schedule satisfies never;
  }
}

/**
 * torch.linspace in float32, to the last bit: blocks of eight numbers counted from their first one, which is reached from the
 * start in the first half and from the end in the second.
 */
function linearlySpaced(start: number, end: number, count: number): Float32Array {
  const [first, last] = [Math.fround(start), Math.fround(end)];
  const step = count > 1 ? Math.fround(Math.fround(last - first) / (count - 1)) : 0;
  return Float32Array.from({ length: count }, (_, i) => {
    const block = i - (i % 8);
    const origin = block < count / 2 ? first + step * block : last - step * (count - 1 - block);
    return Math.fround(origin) + step * (i - block);
  });
}

/** The signal's share of the variance at time t in [0, 1]; Nichol and Dhariwal, arXiv 2102.09672, eq. 17. */
function squaredCosine(t: number): number {
  return Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
}

/** Betas whose last cumulative alpha is zero; Lin et al., arXiv 2305.08891, algorithm 1. */
function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(Math.sqrt);
  const first = roots[0] as number;
  const last = roots.at(-1) as number;
  const stretch = Math.fround(first / Math.fround(first - last));
  const rescaled = roots.map((root) => Math.fround(Math.fround(root - last) * stretch) ** 2);
  return rescaled.map((alpha, t) => 1 - Math.fround(t === 0 ? alpha : alpha / (rescaled[t - 1] as number)));
}

/** NumPy's rounding, which diffusers' timesteps rely on. */
function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
