/** Which model a command works on: a folder of the user's, or the base model that comes with the package. */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type LoadedModel, loadModelFolder } from '../model-folder.js';

/** @throws as `loadModelFolder` */
export function loadModel(folder: string | undefined): Promise<LoadedModel> {
  return loadModelFolder(folder ?? emojiBaseFolder());
}

function emojiBaseFolder(): string {
  const packageFile = createRequire(import.meta.url).resolve('@dmpo/dmpo/package.json');
  return join(dirname(packageFile), 'assets', 'emoji-base');
}
