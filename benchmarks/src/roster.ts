/** Who takes part, and how each one's process is started. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AdapterReport } from '../../scripts/software-gpu.ts';
import type { ContenderOptions } from './serve.js';
import type { Processor } from './workloads.js';

export interface ContenderProgram {
  /** In results and on the command line. */
  readonly id: string;
  readonly title: string;
  /** It takes part in their workloads. */
  readonly processors: readonly Processor[];
  readonly program: string;
  readonly args: readonly string[];
}

/** A contender that this machine cannot run, and why. */
export interface AbsentContender {
  readonly id: string;
  readonly title: string;
  readonly processors: readonly Processor[];
  readonly absent: string;
}

export interface RosterOptions {
  readonly threads: number;
  /** What WebGPU runs on. */
  readonly adapter: AdapterReport;
  /** Adds the float64 device that defines the results: for small sizes only. */
  readonly withReference: boolean;
}

/** Every contender, for each processor ours first. */
export function roster({
  threads,
  adapter,
  withReference,
}: RosterOptions): (ContenderProgram | AbsentContender)[] {
  const inNode = (
    id: string,
    title: string,
    module: string,
    variant?: string,
    processors: readonly Processor[] = ['cpu'],
  ): ContenderProgram => {
    const options: ContenderOptions = { threads, variant };
    return {
      id,
      title,
      processors,
      program: process.execPath,
      // The flags say how TypeScript is loaded and whether our packages are taken from their sources.
      args: [...process.execArgv, path('serve.ts'), module, JSON.stringify(options)],
    };
  };
  return [
    ...(withReference
      ? [inNode('reference', 'dmpo, reference device', 'dmpo', 'reference', ['cpu', 'gpu'])]
      : []),
    inNode('cpu', 'dmpo, cpu device', 'dmpo', 'cpu'),
    inNode('tfjs', 'tfjs wasm', 'tfjs'),
    ...(threads > 1 ? [inNode('tfjs-threads', `tfjs wasm, ${threads} threads`, 'tfjs', 'threads')] : []),
    inNode('jax-js', 'jax-js wasm', 'jax-js'),
    inNode('gpu.js', 'gpu.js on the CPU', 'gpu-js'),
    ...pytorch(threads),
    ...[
      inNode('webgpu', 'dmpo, webgpu device', 'dmpo', 'webgpu', ['gpu']),
      inNode('tfjs-webgpu', 'tfjs webgpu', 'tfjs-webgpu', undefined, ['gpu']),
      inNode('jax-js-webgpu', 'jax-js webgpu', 'jax-js', 'webgpu', ['gpu']),
    ].map((contender) =>
      'problem' in adapter ? { ...contender, absent: `No WebGPU adapter: ${adapter.problem}` } : contender,
    ),
  ];
}

function pytorch(threads: number): (ContenderProgram | AbsentContender)[] {
  const variants = [
    { id: 'pytorch', title: 'PyTorch', format: 'contiguous' },
    { id: 'pytorch-channels-last', title: 'PyTorch, channels last', format: 'channels_last' },
  ];
  // A Python of the user's own often stands before the system's, where Debian's python3-torch is.
  const candidates = process.env.PYTHON ? [process.env.PYTHON] : ['python3', '/usr/bin/python3'];
  const attempts = candidates.map((program) => ({ program, problem: importProblem(program) }));
  const found = attempts.find(({ problem }) => problem === undefined);
  if (!found) {
    const reasons = attempts.map(({ program, problem }) => `${program}: ${problem}`).join('; ');
    const absent = `PyTorch not found (${reasons}). On Debian: apt-get install python3-torch libopenblas0-pthread`;
    return variants.map(({ id, title }) => ({ id, title, processors: ['cpu'], absent }));
  }
  return variants.map(({ id, title, format }) => ({
    id,
    title,
    processors: ['cpu'],
    program: found.program,
    args: ['-B', path('contenders/pytorch/serve.py'), String(threads), format],
  }));
}

/** Why `import torch` fails in a Python, or nothing. */
function importProblem(program: string): string | undefined {
  const { status, stderr, error } = spawnSync(program, ['-c', 'import torch'], { encoding: 'utf8' });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split('\n').at(-1) ?? 'it ended with an error';
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
