/** Diffusion-DPO: direct preference optimization of diffusion models. */

import type { Tensor } from '@dmpo/core';
import type { PreferenceErrors } from './preference-logits.js';
import { type PreferenceLossOptions, type PreferenceLossResult, preferenceLoss } from './preference-loss.js';

/**
 * The loss of Diffusion-DPO (Wallace et al., "Diffusion Model Alignment Using Direct Preference Optimization",
 * arXiv 2311.12908, eq. 14):
 *
 *     -log sigmoid(u),   averaged over pairs,
 *     u = -(beta / 2) [(e_w - e_w,ref) - (e_l - e_l,ref)],   e = mean squared denoising error of one sample.
 *
 * Mean errors and the factor 1/2 are the convention of the authors' code, to which their beta of 2000 to 5000 refers.
 *
 * @param errors denoising errors of winners and losers under policy and reference, each [pairs]
 * @param options beta: factor between error differences and logits, default 5000
 * @throws `BAD_ARGUMENT` unless beta > 0; `SHAPE_MISMATCH` unless all errors are [pairs], pairs >= 1
 */
export function diffusionDpoLoss(
  errors: PreferenceErrors,
  { beta = 5000 }: Partial<PreferenceLossOptions> = {},
): PreferenceLossResult {
  return preferenceLoss(diffusionDpoObjective)(errors, { beta });
}

/** -log sigmoid(u) of each logit. */
export function diffusionDpoObjective(logits: Tensor): Tensor {
  return logits.logSigmoid().neg();
}
