/** Draws images with a trained denoiser: noise in, images out, one seed per image. */

import { concat, currentDevice, DmpoError, Generator, realize, type Tensor, tensor } from '@dmpo/core';
import type { UNet2DModel } from '../models/unet-2d-model.js';
import { classifierFreeGuidance } from '../schedulers/guidance.js';
import type { NoiseScheduler } from '../schedulers/noise-scheduler.js';

export interface SampleOptions {
  /** One per image. The same seed gives the same noise, whatever else is in the batch. */
  readonly seeds: readonly number[];
  /** One class per image; for models that take classes. */
  readonly classLabels?: readonly number[] | undefined;
  /** Denoising steps. Default 25. */
  readonly steps?: number;
  /** Classifier-free guidance; 1 (default) is none. Other values run the model on a doubled batch. */
  readonly guidanceScale?: number;
  /** The class that stands for "no class". Required for guidance. */
  readonly nullClass?: number | undefined;
  /** DDIM: share of DDPM's noise, 0 to 1. Default 0. */
  readonly eta?: number;
  /**
   * DDIM: derive the noise again from the clipped clean sample. Guidance pushes clean samples out of range; clipping them while
   * keeping the noise that belongs to the unclipped ones leaves that noise in the picture. Default false, as in diffusers.
   */
  readonly useClippedModelOutput?: boolean;
  /** Height and width. Default the model's `sample_size`. */
  readonly size?: readonly [height: number, width: number];
  /** Called, and waited for, after every step; what it throws ends the sampling. */
  readonly onProgress?: (step: number, steps: number) => unknown;
}

/**
 * Images [seeds, height, width, channels] in [-1, 1], drawn from noise in `steps` steps of the scheduler. The scheduler's
 * `clip_sample` decides whether intermediate clean samples are clipped too.
 *
 * @throws `BAD_ARGUMENT` for missing, superfluous or unknown classes, or guidance without a null class
 */
export async function sample(
  unet: UNet2DModel,
  scheduler: NoiseScheduler,
  options: SampleOptions,
): Promise<Tensor> {
  const { seeds, steps = 25, eta = 0, useClippedModelOutput = false, onProgress } = options;
  const predict = predictor(unet, options);
  const noise = new SeededNoise(seeds, [...imageSize(unet, options), unet.config.in_channels]);
  scheduler.setTimesteps(steps);
  let images = await noise.next();
  for (const [index, timestep] of scheduler.timesteps.entries()) {
    const common = { eta, useClippedModelOutput };
    const stepOptions = scheduler.addsNoise(timestep, eta)
      ? { ...common, noise: await noise.next() }
      : common;
    const next = scheduler.step(predict(images, timestep), timestep, images, stepOptions).prevSample;
    realize(next);
    images.dispose();
    images = next.detach();
    await currentDevice().finish();
    await onProgress?.(index + 1, steps);
  }
  const clipped = images.clamp(-1, 1);
  realize(clipped);
  images.dispose();
  return clipped;
}

/** The model's output with classes and guidance applied. */
function predictor(unet: UNet2DModel, options: SampleOptions): (images: Tensor, timestep: number) => Tensor {
  const { seeds, classLabels, guidanceScale = 1, nullClass } = options;
  if (seeds.length === 0)
    throw new DmpoError('BAD_ARGUMENT', 'sample: no seeds.', 'Give one seed per image.');
  if (classLabels && classLabels.length !== seeds.length)
    throw new DmpoError(
      'BAD_ARGUMENT',
      `sample: ${classLabels.length} class labels for ${seeds.length} seeds.`,
      'Give one class per image.',
    );
  if (guidanceScale === 1) {
    const conditions = classTensor(unet, classLabels);
    return (images, timestep) => unet.forward(images, timestep, conditions);
  }
  if (nullClass === undefined || classLabels === undefined)
    throw new DmpoError(
      'BAD_ARGUMENT',
      `sample: guidance scale ${guidanceScale} without ${classLabels ? 'a null class' : 'class labels'}.`,
      'Pass `classLabels` and `nullClass`, the class the model was trained with where the class was dropped.',
    );
  const conditions = classTensor(unet, [...classLabels, ...seeds.map(() => nullClass)]);
  return (images, timestep) => {
    const output = unet.forward(concat([images, images], 0), timestep, conditions);
    const [conditional, unconditional] = output.split(2, 0) as [Tensor, Tensor];
    return classifierFreeGuidance(conditional, unconditional, guidanceScale);
  };
}

function classTensor(unet: UNet2DModel, labels: readonly number[] | undefined): { classLabels?: Tensor } {
  if (labels === undefined) return {};
  const { num_class_embeds: classes, class_embed_type: type } = unet.config;
  const unknown = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= Number(classes));
  if (type === null && classes !== null && unknown !== undefined)
    throw new DmpoError(
      'BAD_ARGUMENT',
      `sample: class ${unknown}.`,
      `The model's classes are 0 to ${classes - 1}.`,
    );
  return { classLabels: tensor(Int32Array.from(labels), [labels.length]) };
}

function imageSize(unet: UNet2DModel, { size }: SampleOptions): readonly [number, number] {
  const given = size ?? unet.config.sample_size;
  if (given === null)
    throw new DmpoError(
      'BAD_ARGUMENT',
      "sample: the model's configuration has no sample_size.",
      'Pass `size`.',
    );
  return typeof given === 'number' ? [given, given] : given;
}

/** Standard normal noise for a batch of images, each drawn from its own generator. */
class SeededNoise {
  readonly #generators: readonly Generator[];

  constructor(
    seeds: readonly number[],
    private readonly imageShape: readonly number[],
  ) {
    this.#generators = seeds.map((seed) => new Generator(seed));
  }

  async next(): Promise<Tensor> {
    const images = await Promise.all(
      this.#generators.map(async (generator) => {
        const noise = generator.normal(this.imageShape);
        const numbers = Array.from(await noise.data());
        noise.dispose();
        return numbers;
      }),
    );
    return tensor(Float32Array.from(images.flat()), [images.length, ...this.imageShape]);
  }
}
