/** What the measurement ran on. */

import os from 'node:os';
import type { AdapterReport } from '../../scripts/software-gpu.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly node: string;
  /** What WebGPU ran on. */
  readonly adapter: string;
  /** Average number of busy threads over the minute before the measurement began. */
  readonly loadBefore: number;
  /** Variables that change what libraries do, where set. */
  readonly environment: Readonly<Record<string, string>>;
}

const RELEVANT = /^(OPENBLAS|OMP|MKL|ATEN|DNNL|GOMP)_/;

export function describeMachine(adapter: AdapterReport): Machine {
  const [core] = os.cpus();
  return {
    processor: core?.model.trim() ?? 'unknown processor',
    cores: os.availableParallelism(),
    memoryGigabytes: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.arch()}`,
    node: process.version,
    adapter: 'problem' in adapter ? 'none' : `${adapter.adapter}${adapter.isSoftware ? ', in software' : ''}`,
    loadBefore: Math.round((os.loadavg()[0] ?? 0) * 10) / 10,
    environment: Object.fromEntries(
      Object.entries(process.env).flatMap(([name, value]) =>
        RELEVANT.test(name) && value !== undefined ? [[name, value]] : [],
      ),
    ),
  };
}

/** Why the figures of a measurement that starts now would mean little, or nothing. */
export function busyMachineWarning({ loadBefore, cores }: Machine): string | undefined {
  if (loadBefore < 0.3 * cores) return undefined;
  return `${loadBefore} threads were busy on ${cores} cores when the measurement began: the figures are too slow, and those of libraries that synchronise many threads the most.`;
}
