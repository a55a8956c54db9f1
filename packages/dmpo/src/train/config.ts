/** What a training run can be told, with defaults; the same for the library and for the command line's configuration files. */

import * as z from 'zod';

const count = z.int().positive();

const commonKeys = {
  /** Of every random choice: data order, timesteps, noise, dropped prompts. */
  seed: z.int().min(0).max(0xffffffff).default(0),
  /** Micro-batches whose gradients are averaged before an optimiser step. */
  accumulation: count.default(1),
  weightDecay: z.number().nonnegative().default(0.01),
  /** Gradients longer than this, all parameters together, are scaled down to it. */
  maxGradientNorm: z.number().positive().default(1),
  /** Steps between checkpoints. */
  checkpointEvery: count.default(200),
};

const schedule = z.enum(['constant', 'linear', 'cosine']);

/** Denoising training from scratch. The defaults are the recipe of the emoji base model. */
export const pretrainSchema = z.strictObject({
  ...commonKeys,
  steps: count.default(3600),
  /** Images in a micro-batch. */
  batch: count.default(32),
  learningRate: z.number().positive().default(2e-3),
  schedule: schedule.default('cosine'),
  warmUpSteps: z.int().nonnegative().default(200),
  /** Upper limit of the moving average's decay; 0 averages nothing. */
  emaDecay: z.number().min(0).lt(1).default(0.999),
  /** How often a prompt is replaced by "no prompt", which guidance needs. */
  promptDropout: z.number().min(0).max(1).default(0.1),
});

/** Preference fine-tuning. The defaults are those of the emoji alignment. */
export const preferenceSchema = z.strictObject({
  ...commonKeys,
  steps: count.default(150),
  /** Pairs in a micro-batch. */
  batch: count.default(16),
  learningRate: z.number().positive().default(1e-4),
  schedule: schedule.default('constant'),
  warmUpSteps: z.int().nonnegative().default(10),
  emaDecay: z.number().min(0).lt(1).default(0),
  loss: z.enum(['dmpo', 'diffusion-dpo']).default('dmpo'),
  /** DMPO: probability that the target distribution leaves the loser. */
  alpha: z.number().gt(0).lt(1).default(0.01),
  /** Factor between error differences and logits: larger keeps the model nearer to the reference. */
  beta: z.number().positive().default(500),
});

export type PretrainOptions = z.input<typeof pretrainSchema>;
export type PretrainConfig = z.output<typeof pretrainSchema>;
export type PreferenceTrainerOptions = z.input<typeof preferenceSchema>;
export type PreferenceTrainerConfig = z.output<typeof preferenceSchema>;

/** What both trainers read. */
export type TrainerConfig = Pick<
  PretrainConfig,
  | 'accumulation'
  | 'batch'
  | 'checkpointEvery'
  | 'emaDecay'
  | 'learningRate'
  | 'maxGradientNorm'
  | 'schedule'
  | 'seed'
  | 'steps'
  | 'warmUpSteps'
  | 'weightDecay'
>;
