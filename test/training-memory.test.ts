// A training step of the emoji model's size: how much memory it plans, and that none is left behind.
import { readFile } from 'node:fs/promises';
import { grad, optim, planStatistics, tensor } from '@dmpo/core';
import { UNet2DModel } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { useDevice } from './devices.js';
import { expectNoLeak } from './memory.js';

const BATCH = 8;
const config = new URL('../packages/dmpo/assets/emoji-base/config.json', import.meta.url);

describe('a training step of UNet2DModel', () => {
  const device = useDevice('cpu');

  it('plans at most 60 % of the memory of its intermediates, once, and gives it back', async () => {
    const unet = new UNet2DModel(JSON.parse(await readFile(config, 'utf8')));
    const parameters = unet.parameters();
    const optimizer = new optim.AdamW(parameters, { learningRate: 1e-4 });
    const shape = [BATCH, 32, 32, 3];
    const images = tensor(
      Float32Array.from({ length: BATCH * 32 * 32 * 3 }, (_, i) => Math.sin(i)),
      shape,
    );
    const classLabels = tensor(Int32Array.from({ length: BATCH }, (_, i) => i));
    const timesteps = tensor(Float32Array.from({ length: BATCH }, (_, i) => 100 * i));
    const losses: number[] = [];
    const plans: number[] = [];
    for (let step = 0; step < 3; step++) {
      const loss = unet.forward(images, timesteps, { classLabels }).sub(images).square().mean();
      const { grads } = optim.clipByGlobalNorm(grad(loss, parameters), 1);
      optimizer.step(grads, { realize: [loss] });
      losses.push(await loss.item());
      loss.dispose();
      plans.push(planStatistics().plansMade);
    }
    expect(losses[2]).toBeLessThan(losses[0]);
    expect(plans[2]).toBe(plans[0]);
    const plan = planStatistics().last;
    expect(Number(plan?.peakBytes) / Number(plan?.intermediateBytes)).toBeLessThan(0.6);

    // Left are the parameters and two slots of each.
    await expectNoLeak(device(), 3 * parameters.size);
    optimizer.dispose();
    for (const parameter of parameters.values()) parameter.dispose();
    await expectNoLeak(device());
  });
});
