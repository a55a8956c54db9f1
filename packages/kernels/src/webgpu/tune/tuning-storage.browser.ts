/** Measured choices of tiles in the storage that a browser keeps for a site. */

import type { TuningStorage } from './tuning-file.js';

const ITEM = 'dmpo-tuning';

export const browserTuning: TuningStorage = {
  async load() {
    try {
      return localStorage.getItem(ITEM) ?? undefined;
    } catch {
      // Workers have none, and pages may be denied theirs.
      return undefined;
    }
  },

  async save(text) {
    try {
      localStorage.setItem(ITEM, text);
      return `localStorage, ${ITEM}`;
    } catch {
      return undefined;
    }
  },
};
