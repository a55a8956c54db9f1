// What every preference loss shares: logits, the mean over pairs, metrics, and refused input.
import { grad, type Tensor, tensor } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { errorsWithLogits } from '../../../../test/preference-errors.js';
import { DDPMScheduler } from '../schedulers/ddpm-scheduler.js';
import { denoisingErrors, denoisingTarget } from './denoising-errors.js';
import { diffusionDpoLoss } from './diffusion-dpo.js';
import { dmpoLoss } from './dmpo.js';
import { preferenceLoss } from './preference-loss.js';

const pairErrors = (winner: number[], loser: number[]) => ({ winner: tensor(winner), loser: tensor(loser) });

describe.each(devices)('preference losses on %s', (device) => {
  useDevice(device);

  it('have logits -(beta / 2) [(e_w - e_w,ref) - (e_l - e_l,ref)]', async () => {
    const { logits } = diffusionDpoLoss(
      { policy: pairErrors([0.5, 0.25], [1, 0.25]), reference: pairErrors([0.75, 0.5], [0.875, 0.25]) },
      { beta: 8 },
    );
    expect(Array.from(await logits.data())).toEqual([1.5, 1]);
  });

  it('have logits of exactly 0 where policy and reference are the same', async () => {
    const errors = pairErrors([0.1, 0.2, 1 / 3], [0.3, 1e-8, 7]);
    const { logits, loss } = dmpoLoss({ policy: errors, reference: errors });
    expect(Array.from(await logits.data(), Math.abs)).toEqual([0, 0, 0]);
    expect(await loss.item()).toBeCloseTo(1.61446308, 5);
  });

  it('average over pairs after the objective, not inside it', async () => {
    const { loss } = diffusionDpoLoss(errorsWithLogits([4, -4]), { beta: 2 });
    const separately = (Math.log1p(Math.exp(-4)) + Math.log1p(Math.exp(4))) / 2;
    expect(await loss.item()).toBeCloseTo(separately, 5);
    expect(separately).toBeGreaterThan(2 * Math.LN2); // Math.LN2 is what the mean logit, 0, would give
  });

  it('count a tie as half right', async () => {
    const { metrics } = dmpoLoss(errorsWithLogits([2, 1, 0, -1]), { beta: 2 });
    expect(await metrics.implicitAccuracy.item()).toBe(0.625);
  });

  it('report how far the policy has moved for winners and for losers, and the spread of logits', async () => {
    const { metrics } = dmpoLoss(
      { policy: pairErrors([1, 2], [3, 5]), reference: pairErrors([0.5, 1], [1, 1]) },
      { beta: 2 },
    );
    expect(await metrics.winnerErrorDifference.item()).toBe(0.75);
    expect(await metrics.loserErrorDifference.item()).toBe(3);
    expect(await metrics.logitsMean.item()).toBe(2.25);
    expect(await metrics.logitsStd.item()).toBeCloseTo(0.75, 6);
  });

  it('work for one pair, whose logits have no spread', async () => {
    const { loss, perPair, metrics } = dmpoLoss(errorsWithLogits([1]), { beta: 2 });
    expect(await loss.item()).toBeCloseTo(0.66366529, 5);
    expect(await perPair.item()).toBeCloseTo(0.66366529, 5);
    expect(await metrics.logitsStd.item()).toBe(0);
    expect(await metrics.implicitAccuracy.item()).toBe(1);
  });

  it('pass gradients to the policy, not to the reference and not through metrics', async () => {
    const policy = pairErrors([1, 2], [3, 5]);
    const reference = pairErrors([0.5, 1], [1, 1]);
    const { loss, metrics } = dmpoLoss({ policy, reference }, { beta: 1 });
    const read = async (gradient: Tensor) => Array.from(await gradient.data());
    const [winner, loser, ...rest] = grad(loss, [
      policy.winner,
      policy.loser,
      reference.winner,
      reference.loser,
    ]);
    expect(await read(winner)).not.toContain(0);
    expect(await read(loser)).not.toContain(0);
    for (const gradient of rest) expect(await read(gradient)).toEqual([0, 0]);
    for (const metric of [metrics.logitsMean, metrics.logitsStd, metrics.winnerErrorDifference])
      expect(await read(grad(metric, policy.winner))).toEqual([0, 0]);
  });

  it('can be built from any objective', async () => {
    const hinge = preferenceLoss((logits) => logits.neg().add(1).relu());
    const { loss, perPair } = hinge(errorsWithLogits([0.25, 3]), { beta: 2 });
    expect(Array.from(await perPair.data())).toEqual([0.75, 0]);
    expect(await loss.item()).toBe(0.375);
  });
});

describe('preference losses', () => {
  const errors = errorsWithLogits([1, 2]);

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuse beta %s', (beta) => {
    expect(() => dmpoLoss(errors, { beta })).toThrow(`beta is ${beta}`);
  });

  it.each([0, 1, -0.1, 1.5, Number.NaN])('refuse alpha %s', (alpha) => {
    expect(() => dmpoLoss(errors, { alpha })).toThrow(`alpha is ${alpha}`);
  });

  it.each([
    ['no batch axis', { winner: tensor(1), loser: tensor(2) }],
    ['per-pixel errors', { winner: tensor([[1, 2]]), loser: tensor([[1, 2]]) }],
    ['different numbers of winners and losers', { winner: tensor([1, 2]), loser: tensor([1]) }],
  ])('refuse errors with %s', (_, policy) => {
    expect(() => dmpoLoss({ policy, reference: policy })).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH', message: expect.stringContaining('policy.winner') }),
    );
  });

  it('refuse an objective that mixes pairs', () => {
    expect(() => preferenceLoss((logits) => logits.mean())(errors, { beta: 1 })).toThrow(
      'Return one value per pair',
    );
  });
});

describe.each(devices)('denoising errors on %s', (device) => {
  useDevice(device);

  it('are means over everything but the batch', async () => {
    const prediction = tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 2]);
    const target = tensor([1, 2, 3, 6, 4, 5, 6, 7], [2, 2, 1, 2]);
    const errors = denoisingErrors(prediction, target);
    expect(errors.shape).toEqual([2]);
    expect(Array.from(await errors.data())).toEqual([1, 1]);
  });

  it.each([
    ['epsilon', [10, 20]],
    ['sample', [1, 2]],
    ['v_prediction', [Math.sqrt(0.5) * 10 - Math.sqrt(0.5), Math.sqrt(0.5) * 20 - Math.sqrt(0.5) * 2]],
  ] as const)('of a model that predicts %s have the right target', async (prediction_type, expected) => {
    const scheduler = new DDPMScheduler({ prediction_type, num_train_timesteps: 1, trained_betas: [0.5] });
    const target = denoisingTarget(scheduler, tensor([[1], [2]]), tensor([[10], [20]]), [0, 0]);
    const values = await target.data();
    expected.forEach((value, i) => {
      expect(values[i]).toBeCloseTo(value, 5);
    });
  });
});

it('denoising errors refuse predictions and targets of different shapes', () => {
  expect(() => denoisingErrors(tensor([[1, 2]]), tensor([[1], [2]]))).toThrow('[1,2]');
  expect(() => denoisingErrors(tensor([1, 2]), tensor([1, 2]))).toThrow('[batch, ...]');
});
