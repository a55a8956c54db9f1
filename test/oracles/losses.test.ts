// Preference losses and their gradients against PyTorch in float64.
import { grad, type Tensor } from '@dmpo/core';
import { denoisingErrors, diffusionDpoObjective, dmpoObjective, preferenceLoss } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';
import { readFixture, relativeError } from './fixture.js';

const tolerances = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4, gpujs: 1e-4 };

describe.each(devices)('preference losses on %s', (device) => {
  useDevice(device);
  const tolerance = tolerances[device];

  it.each(['dmpo', 'diffusion_dpo'])(
    '%s has the value and the gradients that PyTorch finds',
    async (name) => {
      const fixture = await readFixture('losses');
      const [alpha, beta] = [Number(fixture.metadata.alpha), Number(fixture.metadata.beta)];
      const objective = name === 'dmpo' ? (u: Tensor) => dmpoObjective(u, alpha) : diffusionDpoObjective;
      const input = (model: string) => fixture.tensor(`in.${model}.f64`);
      const errors = (model: string) => denoisingErrors(input(model), input('noise'));
      const { loss, perPair, logits } = preferenceLoss(objective)(
        {
          policy: { winner: errors('policy_winner'), loser: errors('policy_loser') },
          reference: { winner: errors('reference_winner'), loser: errors('reference_loser') },
        },
        { beta },
      );
      const [winner, loser] = grad(loss, [input('policy_winner'), input('policy_loser')]);

      const off = (actual: Tensor, expected: string) =>
        relativeError(actual, fixture.tensor(`${expected}.f64`));
      expect(await off(logits, 'out.u')).toBeLessThan(tolerance);
      expect(await off(perPair, `out.${name}.per_pair`)).toBeLessThan(tolerance);
      expect(await off(loss.reshape(1), `out.${name}.loss`)).toBeLessThan(tolerance);
      expect(await off(winner, `grad.${name}.policy_winner`)).toBeLessThan(tolerance);
      expect(await off(loser, `grad.${name}.policy_loser`)).toBeLessThan(tolerance);
    },
  );
});
