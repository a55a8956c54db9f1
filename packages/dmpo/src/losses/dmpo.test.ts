// The objective of Divergence Minimization Preference Optimization: closed-form values, gradients, and extreme logits.
import { grad, type Tensor, tensor } from '@dmpo/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { errorsWithLogits } from '../../../../test/preference-errors.js';
import { diffusionDpoLoss, diffusionDpoObjective } from './diffusion-dpo.js';
import { dmpoLoss, dmpoObjective } from './dmpo.js';

const digits = { reference: 8, cpu: 5, webgpu: 5, gpujs: 5 };

async function valuesOf(perPair: Tensor): Promise<number[]> {
  return Array.from(await perPair.data());
}

/** dL/du of each pair, from the gradient of the loss in the winners' errors. */
async function slopes(logits: number[], loss: (errors: ReturnType<typeof errorsWithLogits>) => Tensor) {
  const errors = errorsWithLogits(logits);
  const gradient = await grad(loss(errors), errors.policy.winner).data();
  return Array.from(gradient, (slope) => -slope * logits.length);
}

describe.each(devices)('DMPO on %s', (device) => {
  useDevice(device);

  const peak = (alpha: number) => Math.log((1 - alpha) / alpha);
  it.each([
    [
      0.01,
      {
        [-5]: 4.53423613,
        [-2]: 3.69208462,
        [-1]: 2.78714901,
        0: 1.61446308,
        1: 0.66366529,
        2: 0.19246819,
        [peak(0.01)]: 0,
        8: 0.0085731,
        20: 0.0100503,
      },
    ],
    [0.1, { 0: 0.51082562, 1: 0.11408211, 2: 0.00194225, [peak(0.1)]: 0 }],
    [0.001, { 0: 2.76123071, [peak(0.001)]: 0 }],
  ])('has the known values at alpha %s', async (alpha, known) => {
    const logits = Object.keys(known).map(Number);
    const { perPair } = dmpoLoss(errorsWithLogits(logits), { alpha, beta: 2 });
    const values = await valuesOf(perPair);
    logits.forEach((logit, i) => {
      expect(values[i], `u = ${logit}`).toBeCloseTo(Number(known[`${logit}`]), digits[device]);
    });
  });

  it('has the known gradients', async () => {
    const known = {
      [-5]: -0.0638,
      [-1]: -1.10006733,
      0: -1.14877996,
      1: -0.70684346,
      2: -0.27247094,
      8: 0.00114144,
    };
    const logits = Object.keys(known).map(Number);
    const found = await slopes(logits, (errors) => dmpoLoss(errors, { alpha: 0.01, beta: 2 }).loss);
    logits.forEach((logit, i) => {
      const precision = logit === -5 ? 4 : digits[device];
      expect(found[i], `u = ${logit}`).toBeCloseTo(Number(known[logit as keyof typeof known]), precision);
    });
  });

  it.each([0.01, 0.1, 0.001])(
    'is finite with its limits at logits of 10,000 and -10,000, alpha %s',
    async (alpha) => {
      const logits = [1e4, 1e3, 200, -200, -1e3, -1e4];
      const limit = (logit: number) => (logit > 0 ? -Math.log1p(-alpha) : -Math.log(alpha));
      const { perPair } = dmpoLoss(errorsWithLogits(logits), { alpha, beta: 2 });
      const values = await valuesOf(perPair);
      logits.forEach((logit, i) => {
        expect(values[i], `u = ${logit}`).toBeCloseTo(limit(logit), 6);
      });
      const found = await slopes(logits, (errors) => dmpoLoss(errors, { alpha, beta: 2 }).loss);
      for (const slope of found) expect(Math.abs(slope)).toBeLessThan(1e-30);
    },
  );
});

describe.each(devices)('Diffusion-DPO on %s', (device) => {
  useDevice(device);

  it('has the known values and gradients, down to logits of -10,000', async () => {
    const logits = [0, -5, 5, -1e4, 1e4];
    const { perPair } = diffusionDpoLoss(errorsWithLogits(logits), { beta: 2 });
    const values = await valuesOf(perPair);
    const expected = [Math.LN2, 5.00671535, 0.00671535, 1e4, 0];
    expected.forEach((value, i) => {
      expect(values[i]).toBeCloseTo(value, digits[device]);
    });
    const found = await slopes(logits, (errors) => diffusionDpoLoss(errors, { beta: 2 }).loss);
    [-0.5, -0.9933, -0.0067, -1, 0].forEach((slope, i) => {
      expect(found[i]).toBeCloseTo(slope, 4);
    });
  });
});

describe('gradients against finite differences in float64', () => {
  useDevice('reference');
  const alphas = fc.double({ min: 1e-4, max: 0.9, noNaN: true });
  const logits = fc.double({ min: -12, max: 12, noNaN: true });

  const check = async (objective: (logits: Tensor) => Tensor, logit: number) => {
    const u = tensor([logit]);
    const step = 1e-5;
    const [below, above] = await valuesOf(objective(tensor([logit - step, logit + step])));
    const slope = (Number(above) - Number(below)) / (2 * step);
    expect(await grad(objective(u).sum(), u).item()).toBeCloseTo(slope, 8);
  };

  it('agree for DMPO', () =>
    fc.assert(
      fc.asyncProperty(alphas, logits, (alpha, logit) => check((u) => dmpoObjective(u, alpha), logit)),
      { numRuns: 50 },
    ));

  it('agree for Diffusion-DPO', () =>
    fc.assert(
      fc.asyncProperty(logits, (logit) => check(diffusionDpoObjective, logit)),
      { numRuns: 25 },
    ));

  it("is sigmoid(u) sigmoid(-u) (u - logit(1 - alpha)) for DMPO, without the limits' cancellation", () =>
    fc.assert(
      fc.asyncProperty(alphas, logits, async (alpha, logit) => {
        const [slope] = await slopes([logit], (errors) => dmpoLoss(errors, { alpha, beta: 2 }).loss);
        const sigmoid = 1 / (1 + Math.exp(-logit));
        const expected = sigmoid * (1 - sigmoid) * (logit - Math.log((1 - alpha) / alpha));
        expect(slope).toBeCloseTo(expected, 10);
      }),
      { numRuns: 50 },
    ));
});
