// Preference losses and their gradients against PyTorch in float64.
import { grad } from '@dmpo/core';
import { denoisingErrors, diffusionDpoLoss, dmpoLoss } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { readFixture, relativeError } from './fixture.js';

const tolerances = { reference: 1e-9, cpu: 1e-4 };
const fixture = await readFixture('losses');
const [alpha, beta] = [Number(fixture.metadata.alpha), Number(fixture.metadata.beta)];
const losses = {
  dmpo: (errors: Parameters<typeof dmpoLoss>[0]) => dmpoLoss(errors, { alpha, beta }),
  diffusion_dpo: (errors: Parameters<typeof dmpoLoss>[0]) => diffusionDpoLoss(errors, { beta }),
};

describe.each(devices)('preference losses on %s', (device) => {
  useDevice(device);
  const tolerance = tolerances[device];

  it.each(['dmpo', 'diffusion_dpo'] as const)(
    '%s has the value and the gradients that PyTorch finds',
    async (name) => {
      const input = (model: string) => fixture.tensor(`in.${model}.f64`);
      const errors = (model: string) => denoisingErrors(input(model), input('noise'));
      const { loss, perPair, logits } = losses[name]({
        policy: { winner: errors('policy_winner'), loser: errors('policy_loser') },
        reference: { winner: errors('reference_winner'), loser: errors('reference_loser') },
      });
      const gradients = grad(loss, [input('policy_winner'), input('policy_loser')]);

      expect(await relativeError(logits, fixture.tensor('out.u.f64'))).toBeLessThan(tolerance);
      expect(await relativeError(perPair, fixture.tensor(`out.${name}.per_pair.f64`))).toBeLessThan(
        tolerance,
      );
      expect(await relativeError(loss.reshape(1), fixture.tensor(`out.${name}.loss.f64`))).toBeLessThan(
        tolerance,
      );
      for (const [i, member] of ['winner', 'loser'].entries())
        expect(
          await relativeError(
            gradients[i] as (typeof gradients)[number],
            fixture.tensor(`grad.${name}.policy_${member}.f64`),
          ),
        ).toBeLessThan(tolerance);
    },
  );
});
