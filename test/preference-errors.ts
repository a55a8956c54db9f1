// Denoising errors chosen so that, with beta 2, a preference loss sees given logits.
import { tensor, zeros } from '@dmpo/core';
import type { PreferenceErrors } from '@dmpo/dmpo';

export function errorsWithLogits(logits: readonly number[]): PreferenceErrors {
  const none = zeros([logits.length]);
  const winner = tensor(Float64Array.from(logits, (logit) => -logit));
  return { policy: { winner, loser: none }, reference: { winner: none, loser: none } };
}
