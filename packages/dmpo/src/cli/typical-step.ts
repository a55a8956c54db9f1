/** What a program of this library does most: a step of preference training, and a denoising step of a sample. */

import { drawSamples } from '../evaluate/draw-samples.js';
import { preferenceSchema } from '../train/config.js';
import { PreferenceTrainer } from '../train/preference-trainer.js';
import { loadPreferences } from './data-source.js';
import { loadModel } from './model-source.js';
import { type TypicalStepSettings, trainerConfig } from './settings.js';

/** The same work at every call, on the current device, whose first one compiles it. */
export async function typicalStep(settings: TypicalStepSettings): Promise<() => Promise<void>> {
  const base = await loadModel(settings.base);
  const { preferences } = await loadPreferences(settings, base);
  const { model, scheduler, prompts } = await loadModel(settings.base);
  const config = trainerConfig(preferenceSchema, { ...settings, steps: Number.MAX_SAFE_INTEGER });
  const trainer = new PreferenceTrainer({ model, reference: base.model, scheduler, preferences }, config);
  return async () => {
    await trainer.runStep();
    await drawSamples(model, scheduler, {
      labels: prompts.map((_, label) => label),
      seed: 0,
      steps: 1,
      guidanceScale: 2,
    });
  };
}
