// Sampling: seeds, guidance, progress, refused options.
import { concat, currentDevice, Generator, planStatistics, type Tensor, tensor } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { UNet2DModel } from '../models/unet-2d-model.js';
import { DDIMScheduler } from '../schedulers/ddim-scheduler.js';
import { DDPMScheduler } from '../schedulers/ddpm-scheduler.js';
import { classifierFreeGuidance } from '../schedulers/guidance.js';
import { tinyUNet } from '../testing/tiny-unet.js';
import { type SampleOptions, sample } from './sample.js';

const config = { ...tinyUNet, in_channels: 1, out_channels: 1, num_class_embeds: 3 };

async function largestDifference(a: Tensor, b: Tensor): Promise<number> {
  return a.sub(b).abs().max().item();
}

describe.each(devices)('sampling on %s', (device) => {
  useDevice(device);

  it('draws images in [-1, 1] and reports every step', async () => {
    const steps: string[] = [];
    const images = await sample(new UNet2DModel(config), new DDIMScheduler({ clip_sample: false }), {
      seeds: [1, 2],
      classLabels: [0, 1],
      steps: 3,
      onProgress: (step, steps_) => steps.push(`${step}/${steps_}`),
    });
    expect(images.shape).toEqual([2, 8, 8, 1]);
    expect(await images.max().item()).toBeLessThanOrEqual(1);
    expect(await images.min().item()).toBeGreaterThanOrEqual(-1);
    expect(steps).toEqual(['1/3', '2/3', '3/3']);
  });

  it.each([
    ['DDIM', () => new DDIMScheduler(), 0],
    ['DDIM with noise', () => new DDIMScheduler(), 1],
    ['DDPM', () => new DDPMScheduler(), 0],
  ])('gives a seed the same image with %s whatever else is in the batch', async (_, scheduler, eta) => {
    const unet = new UNet2DModel(config);
    const draw = (seeds: number[], classLabels: number[]) =>
      sample(unet, scheduler(), { seeds, classLabels, steps: 3, eta });
    const [together, alone, again] = [
      await draw([5, 6, 7], [0, 1, 2]),
      await draw([6], [1]),
      await draw([6], [1]),
    ];
    const second = together.sliceAxis(0, 1, 2);
    expect(await largestDifference(second, alone)).toBeLessThan(1e-4);
    expect(await largestDifference(alone, again)).toBe(0);
    expect(await largestDifference(second, together.sliceAxis(0, 0, 1))).toBeGreaterThan(1e-2);
  });

  it('keeps no device memory but the images', async () => {
    const unet = new UNet2DModel(config);
    const draw = () => sample(unet, new DDPMScheduler(), { seeds: [1, 2], classLabels: [0, 1], steps: 3 });
    (await draw()).dispose(); // the model's weights are uploaded now, and the plans have their pools
    const before = currentDevice().memory().buffers;
    const images = await draw();
    expect(currentDevice().memory().buffers).toBe(before + 1);
    images.dispose();
    expect(currentDevice().memory().buffers).toBe(before);
  });

  it('plans no step anew', async () => {
    const unet = new UNet2DModel(config);
    const draw = (steps: number) =>
      sample(unet, new DDIMScheduler(), { seeds: [1, 2], classLabels: [0, 1], steps });
    await draw(3);
    const before = planStatistics().plansMade;
    await draw(6);
    expect(planStatistics().plansMade).toBe(before);
  });

  it('starts from the noise of the seed and moves away from "no class" with guidance', async () => {
    const unet = new UNet2DModel(config);
    const scheduler = new DDIMScheduler({ clip_sample: false });
    const options = { seeds: [3], classLabels: [0], nullClass: 2, steps: 1, guidanceScale: 3 };
    const guided = await sample(unet, scheduler, options);

    const noise = new Generator(3).normal([8, 8, 1]).unsqueeze(0);
    const predict = (label: number) => unet.forward(noise, 0, { classLabels: tensor([label], [1], 'int32') });
    const output = classifierFreeGuidance(predict(0), predict(2), 3);
    const expected = scheduler.step(output, 0, noise).prevSample.clamp(-1, 1);
    expect(await largestDifference(guided, expected)).toBeLessThan(1e-4);
    const unguided = await sample(unet, scheduler, { ...options, guidanceScale: 1 });
    expect(await largestDifference(guided, unguided)).toBeGreaterThan(1e-3);
  });

  it('lets the noise follow clipped clean samples where it is told to', async () => {
    const unet = new UNet2DModel(config);
    const scheduler = new DDIMScheduler({ clip_sample_range: 0.5 });
    const draw = (useClippedModelOutput: boolean) =>
      sample(unet, scheduler, { seeds: [3], classLabels: [0], steps: 2, useClippedModelOutput });
    const followed = await draw(true);

    let images = new Generator(3).normal([8, 8, 1]).unsqueeze(0);
    for (const t of [500, 0]) {
      const output = unet.forward(images, t, { classLabels: tensor([0], [1], 'int32') });
      images = scheduler.step(output, t, images, { useClippedModelOutput: true }).prevSample;
    }
    expect(await largestDifference(followed, images)).toBeLessThan(1e-4);
    expect(await largestDifference(followed, await draw(false))).toBeGreaterThan(1e-3);
  });
});

describe('classifier-free guidance', () => {
  useDevice('reference');

  it('goes from unconditional through conditional and beyond', async () => {
    const [conditional, unconditional] = [tensor([3, 5]), tensor([1, 1])];
    const guided = [0, 1, 2.5].map((scale) => classifierFreeGuidance(conditional, unconditional, scale));
    expect(Array.from(await concat(guided, 0).data())).toEqual([1, 1, 3, 5, 6, 11]);
  });
});

describe('sampling refuses', () => {
  useDevice('reference');

  it.each<[string, Partial<SampleOptions>, string]>([
    ['no seeds', { seeds: [], classLabels: [] }, 'no seeds'],
    ['a class per image too few', { classLabels: [0] }, '1 class labels for 2 seeds'],
    ['an unknown class', { classLabels: [0, 3] }, "class 3. The model's classes are 0 to 2"],
    ['guidance without a null class', { guidanceScale: 2 }, 'without a null class'],
    [
      'guidance without classes',
      { guidanceScale: 2, classLabels: undefined, nullClass: 2 },
      'without class labels',
    ],
    ['no classes', { classLabels: undefined }, 'class labels are missing'],
  ])('%s', async (_, options, message) => {
    const unet = new UNet2DModel(config);
    const attempt = sample(unet, new DDIMScheduler(), {
      seeds: [1, 2],
      classLabels: [0, 1],
      steps: 1,
      ...options,
    });
    await expect(attempt).rejects.toThrow(message);
  });

  it('a model without a sample_size, unless a size is given', async () => {
    const unet = new UNet2DModel({ ...config, sample_size: null });
    const options = { seeds: [1], classLabels: [0], steps: 1 };
    await expect(sample(unet, new DDIMScheduler(), options)).rejects.toThrow('sample_size');
    const images = await sample(unet, new DDIMScheduler(), { ...options, size: [4, 6] });
    expect(images.shape).toEqual([1, 4, 6, 1]);
  });
});
