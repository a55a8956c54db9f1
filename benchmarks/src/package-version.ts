/** The version of an installed package. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Reads the package.json above the package's entry, for not every package exports its own. */
export function packageVersion(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.resolve(name)));
  while (!existsSync(join(folder, 'package.json')) || readPackage(folder).name !== name) {
    if (folder === dirname(folder)) throw new Error(`No package.json of ${name} was found.`);
    folder = dirname(folder);
  }
  return readPackage(folder).version;
}

function readPackage(folder: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}
