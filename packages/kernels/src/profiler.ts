/** Collects an entry for each command while a profile is taken, one profile at a time. */

import { DmpoError } from './errors.js';

export class Profiler<Entry> {
  #entries: Entry[] | undefined;

  get isOn(): boolean {
    return this.#entries !== undefined;
  }

  add(entry: Entry): void {
    this.#entries?.push(entry);
  }

  /** The entries added while `work` ran. Throws `PROFILING` while another profile is taken. */
  async record(work: () => void | Promise<void>): Promise<Entry[]> {
    if (this.isOn)
      throw new DmpoError(
        'PROFILING',
        'A profile is being taken already.',
        'Wait for the first profile before you begin another.',
      );
    const entries: Entry[] = [];
    this.#entries = entries;
    try {
      await work();
    } finally {
      this.#entries = undefined;
    }
    return entries;
  }
}
