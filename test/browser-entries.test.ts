// What a bundler does for a web page: each public entry must bundle for the browser, which fails if any module it
// reaches imports a Node built-in.
import { fileURLToPath } from 'node:url';
import { type BuildResult, build } from 'esbuild';
import { describe, expect, it } from 'vitest';

function bundleForBrowser(source: string): Promise<BuildResult> {
  return build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
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

  it('would notice one', async () => {
    await expect(bundleForBrowser(`export * from 'node:fs';`)).rejects.toThrow('Could not resolve "node:fs"');
  });
});
