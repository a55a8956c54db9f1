// The emoji model's training step on the devices of this machine: the same losses, and the same bits every time.
import { readFileSync } from 'node:fs';
import { nn, openDevice } from '@dmpo/core';
import { DDPMScheduler, Pretrainer, UNet2DModel } from '@dmpo/dmpo';
import { emojiImages } from '@dmpo/dmpo/node';
import { describe, expect, it } from 'vitest';
import { expectNoLeak } from './memory.js';

const STEPS = 30;

const asset = (name: string) =>
  JSON.parse(readFileSync(new URL(`../packages/dmpo/assets/emoji-base/${name}`, import.meta.url), 'utf8'));

/** The losses of the first `steps` of STEPS steps, of a model that starts from random weights. */
async function train(
  device: 'cpu' | 'webgpu' | 'gpujs',
  steps: number,
  mixedPrecision: 'no' | 'fp16' = 'no',
): Promise<number[]> {
  const open = await openDevice(device);
  const model = new UNet2DModel(asset('config.json'), { generator: new nn.HostGenerator(7) });
  const scheduler = DDPMScheduler.fromConfig(asset('scheduler_config.json'));
  const trainer = new Pretrainer(
    { model, scheduler, images: await emojiImages() },
    { steps: STEPS, batch: 2, warmUpSteps: 0, learningRate: 1e-3, mixedPrecision },
  );
  while (trainer.step < steps) await trainer.runStep();
  const losses = trainer.history.map(({ loss }) => loss ?? Number.NaN);
  trainer.dispose();
  model.dispose();
  await expectNoLeak(open);
  await open.close();
  return losses;
}

describe('the emoji training step', () => {
  it(`has the cpu device's losses on webgpu over ${STEPS} steps, and its own bits again`, async () => {
    const expected = await train('cpu', STEPS);
    const actual = await train('webgpu', STEPS);
    expect(actual).toHaveLength(STEPS);
    const differences = actual.map((loss, step) => Math.abs(loss / Number(expected[step]) - 1));
    expect(Math.max(...differences)).toBeLessThan(1e-4);
    // The losses say something only if training lowers them.
    expect(Number(actual.at(-1))).toBeLessThan(0.9 * Number(actual[0]));

    expect(await train('webgpu', 5)).toEqual(actual.slice(0, 5));
  }, 300_000);

  it('stays within 1e-3 of the losses of float32 in mixed precision', async () => {
    const expected = await train('cpu', 10);
    const actual = await train('webgpu', 10, 'fp16');
    actual.forEach((loss, step) => {
      expect(Math.abs(loss / Number(expected[step]) - 1)).toBeLessThan(1e-3);
    });
    expect(actual).not.toEqual(expected);
  }, 300_000);

  it("has the cpu device's losses on gpujs", async () => {
    const expected = await train('cpu', 3);
    const actual = await train('gpujs', 3);
    expect(new Set(actual).size).toBe(3);
    actual.forEach((loss, step) => {
      expect(Math.abs(loss / Number(expected[step]) - 1)).toBeLessThan(1e-4);
    });
  }, 300_000);
});
