/** Whether contenders computed the same thing: without that, comparing their speed means nothing. */

import type { Workload } from './workloads.js';

/**
 * The largest relative error over a workload's outputs: |actual - expected| / |expected| in the Euclidean norm. Infinity if an
 * output has another size or a value that is not a number.
 */
export function disagreement(expected: readonly Float32Array[], actual: readonly Float32Array[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(...expected.map((output, i) => relativeError(output, actual[i] ?? new Float32Array(0))));
}

/** Relative error up to which float32 implementations of a workload count as equal. */
export function tolerance(workload: Workload): number {
  // Later losses depend on Adam's first steps, which turn a gradient of almost zero into a full step of either sign.
  return workload.kind === 'trainingStep' ? 1e-3 : 1e-4;
}

function relativeError(expected: Float32Array, actual: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let error = 0;
  let magnitude = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (Number(actual[i]) - Number(expected[i])) ** 2;
    magnitude += Number(expected[i]) ** 2;
  }
  const ratio = Math.sqrt(error / magnitude);
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
}
