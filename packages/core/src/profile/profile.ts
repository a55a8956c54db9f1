/** Measuring what a piece of a program computes, kernel by kernel. */

import { DmpoError, type KernelTime } from '@dmpo/kernels';
import { currentDevice } from '../realize.js';
import { chromeTrace } from './chrome-trace.js';
import { type KernelRow, kernelRows, profileTable } from './table.js';

export interface Profile {
  /** What was computed, in order. */
  readonly commands: readonly KernelTime[];
  /** The same, summed up by kernel, the most expensive first. */
  readonly rows: readonly KernelRow[];
  /** Microseconds that kernels took. */
  readonly kernelMicroseconds: number;
  /** Microseconds from the beginning of the work until all of it was done. */
  readonly wallMicroseconds: number;
  /** For people: time, share, FLOP/s and bytes/s of every kernel. */
  table(): string;
  /** JSON for chrome://tracing and ui.perfetto.dev. */
  chromeTrace(): string;
}

/**
 * Does `work` and measures every kernel that it runs on the current device: on the GPU by its own clock. Kernels run one by one
 * meanwhile, so the whole takes longer than usual. Run the work once before: the first run compiles.
 * @throws DmpoError UNSUPPORTED if the device cannot measure, PROFILING while another profile is taken
 */
export async function profile(work: () => void | Promise<void>): Promise<Profile> {
  const device = currentDevice();
  if (device.profile === undefined)
    throw new DmpoError(
      'UNSUPPORTED',
      `The ${device.name} device measures no kernels.`,
      "Use the device 'webgpu' or 'cpu'.",
    );
  let wallMicroseconds = 0;
  const commands = await device.profile(async () => {
    const begin = performance.now();
    await work();
    await device.finish();
    wallMicroseconds = 1000 * (performance.now() - begin);
  });
  const rows = kernelRows(commands);
  return {
    commands,
    rows,
    kernelMicroseconds: rows.reduce((sum, { microseconds }) => sum + microseconds, 0),
    wallMicroseconds,
    table: () => profileTable(rows, wallMicroseconds),
    chromeTrace: () => chromeTrace(commands),
  };
}
