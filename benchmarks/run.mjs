// Runs the benchmark: sets the workspace up as far as needed, then starts src/main.ts on the built packages.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import '../scripts/setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  ['--import', 'tsx', 'benchmarks/src/main.ts', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
