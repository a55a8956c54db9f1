// Makes a fresh clone runnable: installs packages, compiles the WebAssembly kernels, builds the JavaScript.
// A step runs only when its inputs changed since it last succeeded, and prints its output only when it fails.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const packages = ['packages/kernels', 'packages/core', 'packages/dmpo'];

step({
  name: 'install',
  message: 'Installing packages',
  inputs: ['pnpm-lock.yaml', 'pnpm-workspace.yaml'],
  outputs: ['node_modules/.modules.yaml'],
  commands: [{ program: 'npx', args: ['--yes', packageManager, 'install', '--frozen-lockfile'] }],
});

step({
  name: 'wasm',
  message: 'Compiling the WebAssembly kernels',
  inputs: ['pnpm-lock.yaml', 'packages/kernels/scripts', 'packages/kernels/src/cpu/assembly'],
  outputs: ['packages/kernels/src/cpu/generated'],
  commands: [{ program: process.execPath, args: ['packages/kernels/scripts/build-wasm.mjs'] }],
});

step({
  name: 'portable-text',
  message: 'Writing the portable kernels as text',
  inputs: ['pnpm-lock.yaml', 'packages/kernels/scripts', 'packages/kernels/src/portable'],
  outputs: ['packages/kernels/src/gpujs/generated'],
  commands: [{ program: process.execPath, args: ['packages/kernels/scripts/build-portable-text.mjs'] }],
});

step({
  name: 'build',
  message: 'Building the packages',
  inputs: [
    'pnpm-lock.yaml',
    ...packages.flatMap((path) => [`${path}/package.json`, `${path}/tsup.config.ts`, `${path}/src`]),
  ],
  outputs: packages.map((path) => `${path}/dist`),
  commands: packages.map((path) => ({
    program: process.execPath,
    args: [join(root, 'node_modules/tsup/dist/cli-default.js')],
    folder: path,
  })),
});

/** Runs `commands` unless `outputs` exist and were made from the present contents of `inputs`. */
function step({ name, message, inputs, outputs, commands }) {
  const stampPath = join(root, 'node_modules', '.setup', name);
  const stamp = fingerprint(inputs);
  const upToDate =
    outputs.every((path) => existsSync(join(root, path))) &&
    existsSync(stampPath) &&
    readFileSync(stampPath, 'utf8') === stamp;
  if (upToDate) return;

  console.error(`${message} ...`);
  for (const command of commands) runQuietly(command);
  mkdirSync(join(root, 'node_modules', '.setup'), { recursive: true });
  writeFileSync(stampPath, stamp);
}

function runQuietly({ program, args, folder = '.' }) {
  const result = spawnSync(program, args, {
    cwd: join(root, folder),
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    // On Windows npx is a command script, which only a shell can start; node itself may have spaces in its path.
    shell: process.platform === 'win32' && program === 'npx',
  });
  if (result.status === 0) return;
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  console.error(`Failed: ${[program, ...args].join(' ')}${result.error ? ` (${result.error.message})` : ''}`);
  process.exit(result.status || 1);
}

/** A hash of the names and contents of files and folders; tests are left out, for they are part of no output. */
function fingerprint(paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    if (path.endsWith('.test.ts')) return;
    if (statSync(join(root, path)).isDirectory()) {
      for (const entry of readdirSync(join(root, path)).sort()) visit(`${path}/${entry}`);
    } else {
      hash
        .update(`${path}\0`)
        .update(readFileSync(join(root, path)))
        .update('\0');
    }
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}
