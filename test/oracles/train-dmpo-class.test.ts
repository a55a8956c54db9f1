// Three steps of DMPO fine-tuning (AdamW, clipping by global norm) against the same steps in PyTorch.
import { concat, grad, optim, type Tensor } from '@dmpo/core';
import { DDPMScheduler, denoisingErrors, denoisingTarget, dmpoLoss, UNet2DModel } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { isKeyBias, norm, readFixture } from './fixture.js';

describe.each(devices)('DMPO fine-tuning on %s', (device) => {
  useDevice(device);

  it('takes the steps that PyTorch takes', async () => {
    const fixture = await readFixture('train-dmpo-class');
    const setting = (name: string) => Number(fixture.metadata[name]);
    const config = JSON.parse(String(fixture.metadata.config));
    const initial = fixture.group('param.');
    const [policy, reference] = [new UNet2DModel(config), new UNet2DModel(config)];
    policy.load(initial);
    reference.load(initial);
    const scheduler = new DDPMScheduler({
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: 'scaled_linear',
    });
    const optimizer = new optim.AdamW(policy.parameters(), {
      learningRate: setting('lr'),
      betas: [0.9, 0.999],
      epsilon: setting('eps'),
      weightDecay: setting('weight_decay'),
    });

    const losses: number[] = [];
    const norms: number[] = [];
    const margins: number[] = [];
    for (const step of ['step0', 'step1', 'step2']) {
      const both = (tensor: Tensor) => concat([tensor, tensor], 0);
      const images = concat([fixture.images(`${step}.winner`), fixture.images(`${step}.loser`)], 0);
      const noise = both(fixture.images(`${step}.noise`));
      const timesteps = both(fixture.tensor(`${step}.timestep`));
      const classLabels = both(fixture.tensor(`${step}.class_labels`));
      const noisy = scheduler.addNoise(images, noise, timesteps);
      const target = denoisingTarget(scheduler, images, noise, timesteps);
      const errors = (unet: UNet2DModel) => {
        const [winner, loser] = denoisingErrors(
          unet.forward(noisy, timesteps, { classLabels }),
          target,
        ).split(2, 0);
        return { winner: winner as Tensor, loser: loser as Tensor };
      };
      const { loss, logits } = dmpoLoss(
        { policy: errors(policy), reference: errors(reference) },
        { alpha: setting('alpha'), beta: setting('beta') },
      );
      const clipped = optim.clipByGlobalNorm(grad(loss, policy.parameters()), setting('max_grad_norm'));
      optimizer.step(clipped.grads, { realize: [loss, clipped.norm, logits] });
      losses.push(await loss.item());
      norms.push(await clipped.norm.item());
      margins.push(...(await logits.data()));
    }

    const expectedLosses = await fixture.tensor('out.loss').data();
    const expectedNorms = await fixture.tensor('out.grad_norm').data();
    const expectedMargins = await fixture.tensor('out.u').data();
    for (const step of [0, 1, 2]) {
      expect(Math.abs(Number(losses[step]) / Number(expectedLosses[step]) - 1)).toBeLessThan(1e-4);
      expect(Math.abs(Number(norms[step]) / Number(expectedNorms[step]) - 1)).toBeLessThan(1e-4);
    }
    expect(margins.slice(0, 2).map(Math.abs)).toEqual([0, 0]);
    margins.forEach((margin, i) => {
      expect(Math.abs(margin - Number(expectedMargins[i]))).toBeLessThan(1e-4);
    });

    const wrong: [string, number][] = [];
    for (const [name, parameter] of policy.stateDict()) {
      const before = fixture.tensor(`param.${name}`);
      const expectedChange = fixture.tensor(`final.${name}`).sub(before);
      const error = (await norm(parameter.sub(before), expectedChange)) / (await norm(expectedChange));
      if (!isKeyBias(name) && !(error < 5e-3)) wrong.push([name, error]);
    }
    expect(wrong).toEqual([]);
  });
});
