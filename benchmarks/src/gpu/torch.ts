/** PyTorch on the same GPU, where there is a Python that has it: one child process that measures all shapes. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Shape } from './shapes.js';

export interface TorchResults {
  /** Version and device, or why there are no results. */
  readonly description: string;
  /** Milliseconds by the shape's id. */
  readonly milliseconds: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

interface Line {
  readonly library?: string;
  readonly absent?: string;
  readonly id?: string;
  readonly milliseconds?: number;
  readonly failed?: string;
}

/** `program` is the text of torch-kernels.py: a bundle carries it within itself. */
export async function measureTorch(
  program: string,
  shapes: readonly Shape[],
  onResult: (id: string) => void,
): Promise<TorchResults> {
  const python = process.env.PYTHON ?? 'python3';
  const milliseconds = new Map<string, number>();
  const failures: string[] = [];
  let description = `${python} cannot be started`;
  const child = spawn(python, ['-c', program], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(shapes.map(({ id, precision, torch }) => ({ id, precision, ...torch }))));
  try {
    for await (const text of createInterface({ input: child.stdout })) {
      const line = JSON.parse(text) as Line;
      description = line.library ?? line.absent ?? description;
      if (line.id === undefined) continue;
      if (line.milliseconds === undefined) failures.push(`${line.id}: ${line.failed}`);
      else milliseconds.set(line.id, line.milliseconds);
      onResult(line.id);
    }
  } catch (error) {
    description = `unreadable answer: ${error instanceof Error ? error.message : error}`;
  }
  if (milliseconds.size === 0 && complaint !== '') {
    description = `no PyTorch: ${complaint.trim().split('\n').at(-1)}`;
  }
  return { description, milliseconds, failures };
}
