/** What a command says: text for people on both streams, or one JSON value for programs on standard output. */

import { DmpoError } from '@dmpo/core';
import { type Progress, showProgress } from './progress.js';

export class Terminal {
  /** @param json give results and errors as JSON, and nothing else */
  constructor(readonly json: boolean) {}

  /** A line about what is going on. */
  note(line: string): void {
    if (!this.json) process.stderr.write(`${line}\n`);
  }

  /** The command's result: `text` for people, `value` for programs. */
  result(value: object, text: string): void {
    process.stdout.write(`${this.json ? JSON.stringify(value, null, 2) : text}\n`);
  }

  /** Work that the user stopped, and how it can be continued. */
  interrupted(message: string): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ interrupted: message }, null, 2)}\n`);
    else this.note(message);
  }

  /** A bar that fills, or lines now and then where nobody watches. */
  progress(label: string): Progress {
    return this.json ? { update: () => {}, end: () => {} } : showProgress(label, process.stderr);
  }

  /** A problem and its fix; the stack only for those who set DMPO_DEBUG. */
  error(error: unknown): void {
    const { code, problem, fix } = error instanceof DmpoError ? error : defect(error);
    if (this.json) process.stdout.write(`${JSON.stringify({ error: { code, problem, fix } }, null, 2)}\n`);
    else process.stderr.write(`\nerror: ${problem}\n  fix: ${fix}\n`);
    if (process.env.DMPO_DEBUG !== undefined) {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    }
  }
}

/** An error that nobody foresaw is a defect of this program. */
function defect(error: unknown): DmpoError {
  return new DmpoError(
    'INTERNAL',
    error instanceof Error ? `${error.name}: ${error.message}` : `${error}`,
    'This looks like a defect of dmpo. Run it again with DMPO_DEBUG=1 for details, and report them.',
  );
}
