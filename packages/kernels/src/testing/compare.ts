/** The check that every kernel passes on every device: close to the reference, and the same bits every time. */

import type { Device } from '../device.js';
import type { DType, HostArray } from '../dtype.js';
import { type Kernel, kernelKey, kernelOutputs } from '../kernel.js';
import { ReferenceDevice } from '../reference/reference-device.js';
import { expectClose, expectSameBits, type Tolerance } from './allclose.js';
import { runKernel } from './run-kernel.js';
import { roundingTolerances } from './tolerance.js';

/** float64, with poisoned memory. */
export const reference = new ReferenceDevice({ poison: true });

/** Runs the kernel on both devices, compares, and returns the device's outputs. Integer outputs must be equal. */
export async function expectMatchesReference(
  device: Device,
  kernel: Kernel,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[] = [],
): Promise<HostArray[]> {
  const { outputs: expected, tolerances } = await expectation(kernel, inputs, scalars);
  const actual = await runKernel(device, kernel, inputs, scalars);
  const again = await runKernel(device, kernel, inputs, scalars);
  kernelOutputs(kernel).forEach(({ dtype }, output) => {
    const what = `output ${output} of ${kernelKey(kernel)}`;
    const tolerance = toleranceOf(dtype, tolerances[output]);
    expectClose(actual[output], expected[output], tolerance, what);
    expectSameBits(again[output], actual[output], `repetition, ${what}`);
  });
  return actual;
}

interface Expectation {
  readonly outputs: HostArray[];
  readonly tolerances: Tolerance[];
}

/** Devices are tested one after another in the same cases, and the reference device is slow. */
const expectations = new Map<string, Expectation>();

async function expectation(
  kernel: Kernel,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[],
): Promise<Expectation> {
  const numbers = Float64Array.from([...inputs, scalars].flatMap((list) => Array.from(list)));
  const digest = await crypto.subtle.digest('SHA-1', numbers);
  const key = `${kernelKey(kernel)} of ${new Uint8Array(digest).join()}`;
  let known = expectations.get(key);
  if (known === undefined) {
    const outputs = await runKernel(reference, kernel, inputs, scalars);
    known = {
      outputs,
      tolerances: await roundingTolerances(reference, kernel, inputs, scalars, outputs),
    };
    expectations.set(key, known);
  }
  return known;
}

/** A float16 result may be the one beside that to which the exact result is rounded. */
function toleranceOf(dtype: DType, rounding: Tolerance): Tolerance {
  if (dtype === 'float16')
    return (expected, i) => rounding(expected, i) + 2 ** -10 * Math.abs(expected) + 2 ** -24;
  return dtype === 'float32' ? rounding : () => 0;
}
