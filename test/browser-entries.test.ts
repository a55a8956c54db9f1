// What a bundler does for a web page: each public entry must bundle for the browser, which fails if any module it
// reaches imports a Node built-in.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildResult, build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

function bundleForBrowser(source: string, resolveDir = here): Promise<BuildResult> {
  return build({
    stdin: { contents: source, resolveDir },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['@dmpo/source'],
    logLevel: 'silent',
  });
}

describe('browser entries', () => {
  it.each(['@dmpo/kernels', '@dmpo/core', '@dmpo/dmpo'])('%s reaches no Node built-in', async (entry) => {
    const { errors, warnings } = await bundleForBrowser(`export * from '${entry}';`);
    expect([...errors, ...warnings]).toEqual([]);
  });

  it('bundle for users who have no gpu.js, the optional package', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dmpo-entries-'));
    const source = fileURLToPath(new URL('../packages/kernels/src', import.meta.url));
    await cp(source, join(folder, 'src'), { recursive: true });
    const bundle = (contents: string) => bundleForBrowser(contents, folder);
    const { errors } = await bundle(`export * from './src/index.browser.ts';`);
    expect(errors).toEqual([]);
    await expect(bundle(`export * from 'gpu.js';`)).rejects.toThrow('Could not resolve "gpu.js"');
    await rm(folder, { recursive: true });
  });

  it('would notice one', async () => {
    await expect(bundleForBrowser(`export * from 'node:fs';`)).rejects.toThrow('Could not resolve "node:fs"');
  });
});
