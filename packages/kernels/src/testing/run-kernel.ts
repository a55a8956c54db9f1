/** Runs one kernel on host arrays, on any device, with memory arranged so that reads and writes out of bounds show. */

import type { Device, DeviceBuffer } from '../device.js';
import { bytesPerElement, type DType, type HostArray } from '../dtype.js';
import { type Kernel, kernelOutputs } from '../kernel.js';
import { expectSameBits } from './allclose.js';

const TAIL = 5;
const GUARD = Float32Array.of(1, 2, 3, 4);

/**
 * The outputs of one run. Float inputs are followed by NaN, integer inputs by -1, and behind each output lies a buffer
 * that must not change.
 */
export async function runKernel(
  device: Device,
  kernel: Kernel,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[] = [],
): Promise<HostArray[]> {
  const buffers: DeviceBuffer[] = [];
  const allocate = (elements: number, dtype: DType): DeviceBuffer => {
    const buffer = device.allocate(Math.max(1, elements) * bytesPerElement[dtype]);
    buffers.push(buffer);
    return buffer;
  };
  const upload = (data: ArrayLike<number>, dtype: DType): DeviceBuffer => {
    const buffer = allocate(data.length + TAIL, dtype);
    const tail = new Array<number>(TAIL).fill(dtype.startsWith('float') ? Number.NaN : -1);
    device.write(buffer, dtype, [...Array.from(data), ...tail]);
    return buffer;
  };
  try {
    const inputBuffers = inputs.map((data, input) => upload(data, kernel.inputs[input]));
    const specs = kernelOutputs(kernel);
    const guards: DeviceBuffer[] = [];
    const outputs = specs.map(({ elements, dtype }) => {
      const output = allocate(elements, dtype);
      guards.push(upload(GUARD, 'float32'));
      return output;
    });
    device.submit([{ kernel, inputs: inputBuffers, outputs, scalars }]);
    await device.finish();
    for (const guard of guards) {
      expectSameBits(await device.read(guard, 'float32', GUARD.length), GUARD, 'memory behind an output');
    }
    return await Promise.all(
      outputs.map((output, i) => device.read(output, specs[i].dtype, specs[i].elements)),
    );
  } finally {
    for (const buffer of buffers) device.free(buffer);
  }
}
