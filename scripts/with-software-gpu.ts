/** Runs a command on a machine without a GPU as if it had one: `npm run software-gpu -- node program.mjs`. */

import { spawnSync } from 'node:child_process';
import { provideAdapter } from './software-gpu.ts';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error('Give a command: npm run software-gpu -- node program.mjs');
  process.exit(2);
}
const report = provideAdapter();
if ('problem' in report) {
  console.error(`No WebGPU adapter: ${report.problem}`);
  process.exit(1);
}
console.error(`WebGPU adapter: ${report.adapter}`);
const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
if (error) console.error(error.message);
process.exitCode = status ?? 1;
