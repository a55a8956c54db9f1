/** Runs on webgpu in the page what Node's tests run: kernels, and the UNet that diffusers computed as well. Bundled for the browser; tests call `window.kernels`. */

import { openDevice as openModelDevice } from '@dmpo/core';
import { type Device, type Kernel, kernelTitle, openDevice, pointwiseOps } from '@dmpo/kernels';
import { expectMatchesReference } from '../../packages/kernels/src/testing/compare.js';
import { exampleInputs, exampleScalars } from '../../packages/kernels/src/testing/kernel-inputs.js';
import { inFloat16, oddKernels } from '../../packages/kernels/src/testing/model-kernels.js';
import { expectPointwise } from '../../packages/kernels/src/testing/pointwise-operations.js';
import { expectRandomBits, randomFunctions } from '../../packages/kernels/src/testing/random-functions.js';
import { parseFixture } from '../oracles/fixture-tensors.js';
import { gradientErrors, outputError } from '../oracles/unet2d-errors.js';

/** What ran, by name, and what was wrong with it, one line each. */
export interface Outcome {
  readonly ran: string[];
  readonly failures: string[];
}

const programs = {
  /** Kernels of every kind, in float32 and with float16: as the reference device but for roundings, twice the same bits. */
  compareKernels: () =>
    onDevice(async (device, run) => {
      const compare = (kernel: Kernel, title: string) =>
        run(title, async () => {
          await expectMatchesReference(device, kernel, await exampleInputs(kernel), exampleScalars(kernel));
        });
      // Of the matrix products two in five, which are of every size, layout and epilogue: each compiles programs of its own.
      const kernels = oddKernels().filter(({ kind }, place) => kind !== 'matmul' || place % 5 < 2);
      for (const kernel of kernels) await compare(kernel, kernelTitle(kernel));
      for (const kernel of kernels.filter(hasNoEpilogue).flatMap(inFloat16))
        await compare(kernel, `float16 ${kernelTitle(kernel)}`);
    }),

  pointwiseOperations: () =>
    onDevice(async (device, run) => {
      for (const op of pointwiseOps) await run(op, () => expectPointwise(device, op));
    }),

  randomFunctions: () =>
    onDevice(async (device, run) => {
      for (const name of randomFunctions) await run(name, () => expectRandomBits(device, name));
    }),

  /** How far the UNet of `unet2d-class.safetensors` is from diffusers'. */
  async unetErrors() {
    const file = await (await fetch('unet2d-class.safetensors')).arrayBuffer();
    const device = await openModelDevice('webgpu', { defaultLimits: true, poison: true });
    const fixture = parseFixture(new Uint8Array(file));
    const errors = { output: await outputError(fixture), ...(await gradientErrors(fixture)) };
    await device.close();
    return errors;
  },
};

declare global {
  interface Window {
    kernels: typeof programs;
  }
}
window.kernels = programs;

type Run = (name: string, check: () => Promise<void>) => Promise<void>;

/** Opens the device as the tests in Node do: within WebGPU's default limits, its memory filled with NaN. */
async function onDevice(checks: (device: Device, run: Run) => Promise<void>): Promise<Outcome> {
  const ran: string[] = [];
  const failures: string[] = [];
  const device = await openDevice('webgpu', { defaultLimits: true, poison: true });
  await checks(device, async (name, check) => {
    ran.push(name);
    try {
      await check();
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  });
  const { buffers } = device.memory();
  if (buffers > 0) failures.push(`${buffers} buffers left allocated`);
  await device.close();
  return { ran, failures };
}

function hasNoEpilogue(kernel: Kernel): boolean {
  return !('epilogue' in kernel) || kernel.epilogue === undefined;
}
