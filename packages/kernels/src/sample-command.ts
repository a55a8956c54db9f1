/** A kernel on buffers of seeded numbers, for measuring it by itself. */

import type { Command, Device, DeviceBuffer } from './device.js';
import { bytesPerElement, type DType } from './dtype.js';
import { type Kernel, kernelInputElements, kernelOutputs } from './kernel.js';
import type { InPlace } from './kernel-map.js';

export interface SampleCommand {
  readonly command: Command;
  /** Frees its buffers. */
  free(): void;
}

/** Floats lie between 0.1 and 0.6, so that nothing overflows; integers are 0. `inPlace` pairs share a buffer. */
export function sampleCommand(device: Device, kernel: Kernel, inPlace: InPlace = []): SampleCommand {
  const buffers: DeviceBuffer[] = [];
  const allocate = (dtype: DType, elements: number): DeviceBuffer => {
    const buffer = device.allocate(Math.max(elements, 1) * bytesPerElement[dtype]);
    buffers.push(buffer);
    return buffer;
  };
  const inputs = kernelInputElements(kernel).map((elements, input) => {
    const dtype = kernel.inputs[input];
    const buffer = allocate(dtype, elements);
    device.write(buffer, dtype, isFloat(dtype) ? noise(elements, input) : new Int32Array(elements));
    return buffer;
  });
  const shared = new Map(inPlace.map(([input, output]) => [output, input]));
  const outputs = kernelOutputs(kernel).map(({ dtype, elements }, output) => {
    const input = shared.get(output);
    return input === undefined ? allocate(dtype, elements) : inputs[input];
  });
  const scalars = kernel.scalars.map((dtype, slot) => (isFloat(dtype) ? 0.5 + slot / 100 : 0));
  return {
    command: { kernel, inputs, outputs, scalars },
    free() {
      for (const buffer of buffers) device.free(buffer);
    },
  };
}

const isFloat = (dtype: DType) => dtype === 'float32' || dtype === 'float16';

function noise(elements: number, seed: number): Float32Array {
  const values = new Float32Array(elements);
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = 0.1 + state / 2 ** 33;
  }
  return values;
}
