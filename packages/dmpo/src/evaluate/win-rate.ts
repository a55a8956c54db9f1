/** Which of two models draws nearer to what is preferred. */

import { DmpoError } from '@dmpo/core';
import type { ImageSet } from '../data/image-set.js';
import { nearestImages } from './nearest-image.js';

/**
 * Share of samples in which `challenger` is nearer than `baseline` to a preferred real image of the sample's prompt;
 * ties count half. Sample i of both must have been drawn for prompt `labels[i]` from the same seed.
 * @throws `SHAPE_MISMATCH` when the samples do not correspond, `MISSING_DATA` when a prompt has no preferred image
 */
export function winRate(
  challenger: Float32Array,
  baseline: Float32Array,
  labels: readonly number[],
  preferred: ImageSet,
): number {
  const ofItsPrompt = (sample: number, image: number) => preferred.labels[image] === labels[sample];
  const [ours, theirs] = [challenger, baseline].map((samples) =>
    nearestImages(samples, preferred, ofItsPrompt),
  );
  if (ours?.length !== labels.length || theirs?.length !== labels.length) {
    throw new DmpoError(
      'SHAPE_MISMATCH',
      `The win rate of ${ours?.length} samples over ${theirs?.length} samples for ${labels.length} prompts is undefined.`,
      'Draw one sample from each model for every prompt and seed.',
    );
  }
  const orphan = ours.findIndex(({ index }) => index < 0);
  if (orphan >= 0) {
    throw new DmpoError(
      'MISSING_DATA',
      `There is no preferred image of "${preferred.prompts[labels[orphan] ?? -1]}".`,
      'Compare only prompts that the preferences cover.',
    );
  }
  const wins = ours.map(({ distance }, sample) => {
    const other = theirs[sample]?.distance ?? Number.NaN;
    return distance === other ? 0.5 : Number(distance < other);
  });
  return wins.reduce((sum, win) => sum + win, 0) / wins.length;
}
