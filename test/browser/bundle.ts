/** What a user's bundler makes of a page program and our packages as they are built and published. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** One JavaScript module for browsers, minified on demand. Builds the packages first where their sources changed since. */
export async function bundlePage(entry: URL, { minify = false } = {}): Promise<string> {
  const setup = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url))],
    {
      encoding: 'utf8',
    },
  );
  if (setup.status !== 0) throw new Error(`The packages cannot be built:\n${setup.stderr}`);
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    minify,
    write: false,
    format: 'esm',
    platform: 'browser',
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('The bundler made no file.');
  return file.text;
}
