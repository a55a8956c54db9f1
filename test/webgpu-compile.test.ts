// A training step of the emoji model, written for every class of WebGPU adapter, on Dawn's null backend: it checks and compiles all
// that a step submits and computes nothing, so that programs are seen which no adapter of this machine would run.
import { readFileSync } from 'node:fs';
import { nn, openDevice } from '@dmpo/core';
import { DDPMScheduler, Pretrainer, UNet2DModel } from '@dmpo/dmpo';
import { emojiImages } from '@dmpo/dmpo/node';
import { expect, it } from 'vitest';
import { nullGpuDevice } from '../packages/kernels/src/testing/null-gpu.js';

const asset = (name: string) =>
  JSON.parse(readFileSync(new URL(`../packages/dmpo/assets/emoji-base/${name}`, import.meta.url), 'utf8'));

it.each(['discrete', 'apple', 'integrated', 'software'] as const)(
  'a training step compiles for adapters of the class %s',
  async (adapterClass) => {
    const device = await openDevice('webgpu', { gpuDevice: await nullGpuDevice(), adapterClass });
    const model = new UNet2DModel(asset('config.json'), { generator: new nn.HostGenerator(7) });
    const trainer = new Pretrainer(
      {
        model,
        scheduler: DDPMScheduler.fromConfig(asset('scheduler_config.json')),
        images: await emojiImages(),
      },
      { steps: 2, batch: 8, warmUpSteps: 0, learningRate: 1e-3 },
    );
    await trainer.runStep();
    // Rejects if one shader, or one dispatch, was invalid.
    await device.finish();
    expect(trainer.step).toBe(1);
    trainer.dispose();
    model.dispose();
    await device.close();
  },
  120_000,
);
