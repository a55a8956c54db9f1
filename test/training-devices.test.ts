// The emoji model's training step on the devices of this machine: the same losses, and the same bits every time.
import { readFileSync } from 'node:fs';
import { nn, openDevice } from '@dmpo/core';
import { DDPMScheduler, Pretrainer, UNet2DModel } from '@dmpo/dmpo';
import { emojiImages } from '@dmpo/dmpo/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevice } from './devices.js';
import { expectNoLeak } from './memory.js';

const STEPS = 30;

const asset = (name: string) =>
  JSON.parse(readFileSync(new URL(`../packages/dmpo/assets/emoji-base/${name}`, import.meta.url), 'utf8'));

/** The losses of the first `steps` of STEPS steps on the current device, of a model that starts from random weights. */
async function train(steps: number, mixedPrecision: 'no' | 'fp16' = 'no'): Promise<number[]> {
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
  return losses;
}

describe('the emoji training step', () => {
  let expected: number[];
  beforeAll(async () => {
    const device = await openDevice('cpu');
    expected = await train(STEPS);
    await expectNoLeak(device);
    await device.close();
  }, 180_000);

  /** How far each loss is from the cpu device's, relatively. */
  const differences = (losses: readonly number[]) =>
    losses.map((loss, step) => Math.abs(loss / Number(expected[step]) - 1));

  describe('on webgpu', () => {
    useDevice('webgpu', { poison: false });

    it(`has the cpu device's losses over ${STEPS} steps, and its own bits again`, async () => {
      const losses = await train(STEPS);
      expect(losses).toHaveLength(STEPS);
      expect(Math.max(...differences(losses))).toBeLessThan(1e-4);
      // The losses say something only if training lowers them.
      expect(Number(losses.at(-1))).toBeLessThan(0.9 * Number(losses[0]));

      expect(await train(5)).toEqual(losses.slice(0, 5));
    });

    it('stays within 1e-3 of the losses of float32 in mixed precision', async () => {
      const losses = await train(10, 'fp16');
      expect(losses).toHaveLength(10);
      expect(Math.max(...differences(losses))).toBeLessThan(1e-3);
      expect(losses).not.toEqual(expected.slice(0, 10));
    });
  });

  describe('on gpujs', () => {
    useDevice('gpujs', { poison: false });

    it("has the cpu device's losses", async () => {
      const losses = await train(3);
      expect(new Set(losses).size).toBe(3);
      expect(Math.max(...differences(losses))).toBeLessThan(1e-4);
    });
  });
});
