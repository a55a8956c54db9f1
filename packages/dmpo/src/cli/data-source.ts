/** Which images a command works on: the emoji, or a folder of the user's. */

import { DmpoError } from '@dmpo/core';
import { emojiImages } from '../data/emoji.js';
import { readPreferenceFolder } from '../data/image-folder.js';
import { type PreferenceSet, preferStyle } from '../data/preference-set.js';
import type { LoadedModel } from '../model-folder.js';

export interface LoadedPreferences {
  readonly preferences: PreferenceSet;
  /** Style of the winners. */
  readonly preferredStyle: string;
}

/**
 * Preferences whose class labels are those of the model.
 * @throws `PROMPT_MISMATCH` when the model was trained on other prompts; the errors of reading
 */
export async function loadPreferences(
  settings: { readonly data: string; readonly preferredStyle: string },
  { model, prompts }: LoadedModel,
): Promise<LoadedPreferences> {
  const size = imageSizeOf(model.config.sample_size);
  if (settings.data !== 'emoji') {
    return {
      preferences: await readPreferenceFolder(settings.data, { size, prompts }),
      preferredStyle: 'winner',
    };
  }
  const images = await emojiImages({ size });
  if (images.prompts.join() !== prompts.join()) {
    throw new DmpoError(
      'PROMPT_MISMATCH',
      `The model knows ${prompts.length} prompts (${prompts.slice(0, 3).join(', ')}, ...), which are not those of the emoji.`,
      'Give preferences for the prompts of this model with --data, or leave the model out to use the emoji base model.',
    );
  }
  return {
    preferences: preferStyle(images, settings.preferredStyle),
    preferredStyle: settings.preferredStyle,
  };
}

function imageSizeOf(sampleSize: number | readonly number[] | null): number {
  const size = typeof sampleSize === 'number' ? sampleSize : sampleSize?.[0];
  return size ?? 32;
}
