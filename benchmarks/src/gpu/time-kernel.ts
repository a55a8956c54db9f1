/** Milliseconds of one kernel on a device, its buffers resident and its outputs its own. */

import {
  bytesPerElement,
  type Command,
  type Device,
  type DeviceBuffer,
  kernelInputElements,
  kernelOutputs,
} from '@dmpo/kernels';
import { summarize } from '../statistics.js';
import { inPlaceBuffers, type Shape } from './shapes.js';

const ROUNDS = 7;
const MILLISECONDS_PER_ROUND = 60;

/** The median of rounds that each submit the kernel as often as fills the time, and wait once. */
export async function timeKernel(device: Device, shape: Shape): Promise<number> {
  const { kernel } = shape;
  const buffers: DeviceBuffer[] = [];
  const allocate = (elements: number) => {
    const buffer = device.allocate(elements * bytesPerElement.float32);
    buffers.push(buffer);
    return buffer;
  };
  try {
    const inputs = kernelInputElements(kernel).map((elements, input) => {
      const buffer = allocate(elements);
      device.write(buffer, kernel.inputs[input] ?? 'float32', noise(elements, input));
      return buffer;
    });
    const shared = new Map(inPlaceBuffers(shape).map(([input, output]) => [output, input]));
    const outputs = kernelOutputs(kernel).map(({ elements }, output) => {
      const input = shared.get(output);
      return input === undefined ? allocate(elements) : (inputs[input] as DeviceBuffer);
    });
    const scalars = kernel.scalars.map((_, slot) => 0.5 + slot / 100);
    const command: Command = { kernel, inputs, outputs, scalars };
    const timed = async (repetitions: number) => {
      const start = performance.now();
      device.submit(new Array<Command>(repetitions).fill(command));
      await device.finish();
      return (performance.now() - start) / repetitions;
    };
    await timed(1);
    const repetitions = Math.max(1, Math.min(2000, Math.floor(MILLISECONDS_PER_ROUND / (await timed(2)))));
    const milliseconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) milliseconds.push(await timed(repetitions));
    return summarize(milliseconds).median;
  } finally {
    for (const buffer of buffers) device.free(buffer);
  }
}

/** Positive numbers below one: no denormals, and a logsumexp or rstd among them does no harm. */
function noise(elements: number, seed: number): Float32Array {
  const values = new Float32Array(elements);
  let state = (seed + 1) * 0x9e3779b1;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = 0.1 + state / 2 ** 33;
  }
  return values;
}
