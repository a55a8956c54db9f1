/** A device that runs the portable programs in float64, one element at a time: the oracle of every other device. */

import { checkCommand } from '../check-command.js';
import { checkKernel } from '../check-kernel.js';
import type { Command, Device, DeviceBuffer, DeviceOptions, MemoryReport } from '../device.js';
import { bytesPerElement, type DType, type HostArray } from '../dtype.js';
import { DmpoError } from '../errors.js';
import { roundFloat16 } from '../float16.js';
import { type Kernel, kernelKey, kernelOutputs } from '../kernel.js';
import { LiveBuffers } from '../live-buffers.js';
import { portableProgram } from '../portable/program.js';
import { type CompiledProgram, compileProgram } from './compile.js';

class ReferenceBuffer implements DeviceBuffer {
  constructor(
    readonly byteLength: number,
    readonly values: Float64Array,
  ) {}
}

export class ReferenceDevice implements Device {
  readonly name = 'reference';
  readonly description = 'float64, one element at a time, one thread';
  readonly hasFloat16 = true;
  readonly #poison: boolean;
  readonly #buffers = new LiveBuffers<ReferenceBuffer>();
  readonly #programs = new Map<string, CompiledProgram>();
  #isClosed = false;

  /** Of the options only `poison` matters here. */
  constructor(options: DeviceOptions = {}) {
    this.#poison = options.poison ?? false;
  }

  allocate(byteLength: number): DeviceBuffer {
    this.#checkOpen();
    // Enough for the elements of the smallest dtype.
    const values = new Float64Array(Math.max(1, Math.ceil(byteLength / bytesPerElement.float16)));
    if (this.#poison) values.fill(Number.NaN);
    const buffer = new ReferenceBuffer(byteLength, values);
    this.#buffers.add(buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (this.#isClosed) return;
    this.#buffers.delete(buffer);
  }

  /** float32 data is kept as it is given, in float64; all else as its dtype has it. */
  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void {
    const values = this.#valuesOf(buffer, data.length, dtype);
    if (dtype === 'float32') values.set(data);
    else for (let i = 0; i < data.length; i++) values[i] = storedAs[dtype](data[i]);
  }

  async read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray> {
    const values = this.#valuesOf(buffer, elements, dtype).subarray(0, elements);
    switch (dtype) {
      case 'float32':
        return values.slice();
      case 'float16':
        return Float32Array.from(values);
      case 'int32':
        return Int32Array.from(values);
      case 'uint32':
      case 'bool':
        return Uint32Array.from(values);
      default:
        return dtype satisfies never;
    }
  }

  async prepare(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    kernels.forEach((kernel, done) => {
      this.#compiled(kernel);
      onProgress?.(done + 1, kernels.length);
    });
  }

  submit(commands: readonly Command[]): void {
    for (const command of commands) {
      checkCommand(command);
      const inputs = command.inputs.map((buffer) => this.#valuesOf(buffer));
      const outputs = command.outputs.map((buffer) => this.#valuesOf(buffer));
      const results = this.#compiled(command.kernel)(inputs, command.scalars);
      // Only now, since an output may be the buffer of an input.
      kernelOutputs(command.kernel).forEach(({ dtype }, output) => {
        outputs[output].set(dtype === 'float16' ? results[output].map(roundFloat16) : results[output]);
      });
    }
  }

  async finish(): Promise<void> {
    this.#checkOpen();
  }

  memory(): MemoryReport {
    let reservedBytes = 0;
    for (const { values } of this.#buffers) reservedBytes += values.byteLength;
    return { ...this.#buffers.report(), reservedBytes };
  }

  trim(): void {}

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#buffers.clear();
    this.#programs.clear();
  }

  #compiled(kernel: Kernel): CompiledProgram {
    const key = kernelKey(kernel);
    let program = this.#programs.get(key);
    if (program === undefined) {
      checkKernel(kernel);
      program = compileProgram(portableProgram(kernel));
      this.#programs.set(key, program);
    }
    return program;
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new DmpoError(
      'DEVICE_CLOSED',
      'The reference device is closed.',
      'Open a device and use that one.',
    );
  }

  #valuesOf(buffer: DeviceBuffer, elements = 0, dtype: DType = 'float32'): Float64Array {
    this.#checkOpen();
    return this.#buffers.get(buffer, elements, dtype).values;
  }
}

const storedAs = {
  float16: roundFloat16,
  int32: (value: number) => value | 0,
  uint32: (value: number) => value >>> 0,
  bool: (value: number) => (value !== 0 ? 1 : 0),
};
