// The GPU benchmark in one file, dist/gpu.mjs, that needs Node and the npm package webgpu only; runs it unless told to `--bundle`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import '../scripts/setup.mjs';

const bundle = fileURLToPath(new URL('dist/gpu.mjs', import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL('src/gpu/main.ts', import.meta.url))],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  loader: { '.py': 'text' },
  // Optional parts of the libraries that this program does not use, and Dawn, which is native.
  external: ['webgpu', 'gpu.js'],
});
const args = process.argv.slice(2);
if (args[0] === '--bundle') console.log(`Wrote ${bundle}`);
else {
  const { status } = spawnSync(process.execPath, [bundle, ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
