/** Classifier-free guidance: trading diversity for agreement with the condition. */

import type { Tensor } from '@dmpo/core';

/**
 * unconditional + scale (conditional - unconditional), on model outputs of one shape. Scale 1 is the conditional model,
 * larger values follow the condition more closely; Ho and Salimans, arXiv 2207.12598, in diffusers' convention.
 */
export function classifierFreeGuidance(conditional: Tensor, unconditional: Tensor, scale: number): Tensor {
  return unconditional.add(conditional.sub(unconditional).mul(scale));
}
