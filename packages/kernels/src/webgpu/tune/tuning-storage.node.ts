/** Measured choices of tiles in a file of the user's cache folder, which the environment variable DMPO_TUNING_FILE replaces. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TuningStorage } from './tuning-file.js';

export const nodeTuning: TuningStorage = {
  async load() {
    return readFile(tuningFile(), 'utf8').catch(() => undefined);
  },

  async save(text) {
    const file = tuningFile();
    const unfinished = `${file}.${process.pid}`;
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(unfinished, text);
      // A reader finds the old file or the new one, never half of one.
      await rename(unfinished, file);
      return file;
    } catch {
      return undefined;
    }
  },
};

function tuningFile(): string {
  return process.env.DMPO_TUNING_FILE || join(cacheFolder(), 'dmpo', 'tuning.json');
}

function cacheFolder(): string {
  switch (process.platform) {
    case 'darwin':
      return join(homedir(), 'Library', 'Caches');
    case 'win32':
      return process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local');
    default:
      return process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  }
}
