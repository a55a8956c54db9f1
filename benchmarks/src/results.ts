/** What one run of the benchmark found: the content of results.json. */

import type { ContenderDescription } from './contender.js';
import type { Machine } from './machine.js';
import type { Measurement, Skip } from './measure.js';
import type { TargetResult } from './targets.js';
import { amountOfWork, type Processor, type Workload } from './workloads.js';

export interface Results {
  readonly date: string;
  readonly machine: Machine;
  readonly workloads: readonly Workload[];
  readonly contenders: readonly PresentContender[];
  /** Contenders that this machine does not have, and why. */
  readonly absent: readonly MissingContender[];
  readonly measurements: readonly Measurement[];
  readonly skips: readonly Skip[];
  readonly targets: readonly TargetResult[];
}

export interface MissingContender {
  readonly id: string;
  readonly title: string;
  readonly processors: readonly Processor[];
  readonly reason: string;
}

export interface PresentContender extends ContenderDescription {
  readonly id: string;
  readonly title: string;
  /** It took part in their workloads. */
  readonly processors: readonly Processor[];
}

/** The part that was measured on one processor. */
export function resultsOn(processor: Processor, results: Results): Results {
  const workloads = results.workloads.filter((workload) => workload.processor === processor);
  const contenders = results.contenders.filter(({ processors }) => processors.includes(processor));
  const isOurs = ({ workload }: { readonly workload: string }) => workloads.some(({ id }) => id === workload);
  return {
    ...results,
    workloads,
    contenders,
    absent: results.absent.filter(({ processors }) => processors.includes(processor)),
    measurements: results.measurements.filter(isOurs),
    skips: results.skips.filter(isOurs),
    targets: results.targets.filter(isOurs),
  };
}

/** As the repository's formatter writes it: arrays of numbers and strings on one line. */
export function toJson(results: Results): string {
  const json = JSON.stringify(results, undefined, 2);
  const oneLine = (array: string) => array.replace(/\n\s*/g, ' ').replace('[ ', '[').replace(/ ]$/, ']');
  return `${json.replace(/\[\n[^[\]{}]+\n\s*\]/g, oneLine)}\n`;
}

/** Speed at the median, such as 62 GFLOP/s. */
export function speed(workload: Workload, { median }: Pick<Measurement, 'median'>): number {
  return (1000 * amountOfWork(workload).amount) / median;
}

/** "GFLOP/s", "GB/s" or "images/s". */
export function speedUnit(workload: Workload): string {
  const { unit } = amountOfWork(workload);
  return unit === 'image' ? 'images/s' : `${unit}/s`;
}

/** Three significant digits, and thousands separated. */
export function formatNumber(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))));
  return value.toLocaleString('en', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}
