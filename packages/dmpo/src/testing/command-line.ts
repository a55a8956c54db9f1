/** Runs the command line in tests, and keeps what it writes. */

import { vi } from 'vitest';
import { runCommandLine } from '../cli/program.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `dmpo` with these arguments in this process. */
export async function dmpo(...args: string[]): Promise<Outcome> {
  const written = { out: '', err: '' };
  const capture = (key: keyof typeof written) => (chunk: string | Uint8Array) => {
    written[key] += chunk;
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(capture('err')),
  ];
  try {
    return { code: await runCommandLine(args), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
