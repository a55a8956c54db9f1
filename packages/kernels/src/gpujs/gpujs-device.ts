/** A device that runs the portable programs through gpu.js: WebGL2, headless OpenGL, WebAssembly or plain JavaScript. */

import { checkCommand } from '../check-command.js';
import { checkKernel } from '../check-kernel.js';
import type { Command, Device, DeviceBuffer, DeviceOptions, GpuJsMode, MemoryReport } from '../device.js';
import { BYTES_PER_ELEMENT, type DType, type HostArray } from '../dtype.js';
import { DmpoError } from '../errors.js';
import { type Kernel, kernelInputElements, kernelKey, kernelOutputs, type OutputSpec } from '../kernel.js';
import { LiveBuffers } from '../live-buffers.js';
import { type GpuJs, loadGpuJs } from './library.js';
import { type ArrayLimit, arrayLimit, checkLimit, chooseMode } from './mode.js';
import { type CompiledProgram, Compiler } from './program.js';

/** Compiled kernels hold memory of their own, so that only the latest are kept: more than a training step has. */
const MOST_PROGRAMS = 1024;

/**
 * Opens the device in `options.gpujsMode`, otherwise in the fastest mode that works here. Throws `DEVICE_UNAVAILABLE` if gpu.js
 * is not installed, or has no such mode here.
 */
export async function openGpuJsDevice(options: DeviceOptions = {}): Promise<Device> {
  const library = await loadGpuJs();
  return new GpuJsDevice(library, chooseMode(library, options.gpujsMode), options.poison ?? false);
}

const descriptions: Readonly<Record<GpuJsMode, string>> = {
  webgl2: 'WebGL2',
  headlessgl: 'headless OpenGL',
  webasm: 'WebAssembly, one thread',
  cpu: 'JavaScript, one thread',
};

/** Memory of the host: gpu.js copies to and from textures, or the memory of its WebAssembly modules, in every pass. */
class GpuJsBuffer implements DeviceBuffer {
  readonly float32: Float32Array;
  readonly int32: Int32Array;
  readonly uint32: Uint32Array;

  constructor(
    readonly byteLength: number,
    elements: number,
  ) {
    this.float32 = new Float32Array(elements);
    this.int32 = new Int32Array(this.float32.buffer);
    this.uint32 = new Uint32Array(this.float32.buffer);
  }

  /** The elements as numbers of this type; bool is stored as uint32. */
  numbers(dtype: DType): Float32Array | Int32Array | Uint32Array {
    return dtype === 'bool' ? this.uint32 : this[dtype];
  }
}

/** Throws `OUT_OF_MEMORY`. */
function newBuffer(byteLength: number, elements: number): GpuJsBuffer {
  try {
    return new GpuJsBuffer(byteLength, elements);
  } catch (cause) {
    throw new DmpoError(
      'OUT_OF_MEMORY',
      `There is no memory for a buffer of ${byteLength} bytes.`,
      'Use smaller batches, or dispose of tensors that are no longer needed.',
      { cause },
    );
  }
}

interface LoadedProgram extends CompiledProgram {
  readonly inputElements: readonly number[];
  readonly outputs: readonly OutputSpec[];
}

class GpuJsDevice implements Device {
  readonly name = 'gpujs';
  readonly description: string;
  readonly #limit: ArrayLimit | undefined;
  readonly #compiler: Compiler;
  readonly #poison: boolean;
  readonly #buffers = new LiveBuffers<GpuJsBuffer>();
  /** Least recently used first. */
  readonly #programs = new Map<string, LoadedProgram>();
  #isClosed = false;

  constructor(library: GpuJs, mode: GpuJsMode, poison: boolean) {
    this.description = `gpu.js, ${descriptions[mode]}`;
    this.#limit = arrayLimit(library, mode);
    this.#compiler = new Compiler(library, mode, this.#limit);
    this.#poison = poison;
  }

  /** Throws `BUFFER_TOO_LARGE` for more elements than OpenGL can count or hold in a texture. */
  allocate(byteLength: number): DeviceBuffer {
    this.#checkOpen();
    const elements = Math.max(1, Math.ceil(byteLength / BYTES_PER_ELEMENT));
    checkLimit(this.#limit, elements, 'A buffer');
    const buffer = newBuffer(byteLength, elements);
    if (this.#poison) buffer.float32.fill(Number.NaN);
    this.#buffers.add(buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (this.#isClosed) return;
    this.#buffers.delete(buffer);
  }

  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void {
    const numbers = this.#own(buffer, data.length).numbers(dtype);
    if (dtype === 'bool') for (let i = 0; i < data.length; i++) numbers[i] = data[i] !== 0 ? 1 : 0;
    else numbers.set(data);
  }

  async read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray> {
    return this.#own(buffer, elements).numbers(dtype).slice(0, elements);
  }

  /** Checks kernels and makes their texts; gpu.js compiles a kernel when it first runs. */
  async prepare(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.#checkOpen();
    kernels.forEach((kernel, done) => {
      this.#program(kernel);
      onProgress?.(done + 1, kernels.length);
    });
  }

  submit(commands: readonly Command[]): void {
    for (const command of commands) {
      checkCommand(command);
      const { kernel, scalars } = command;
      const inputs = command.inputs.map((buffer) => this.#own(buffer));
      const outputs = command.outputs.map((buffer) => this.#own(buffer));
      const program = this.#program(kernel);
      const read = inputs.map((buffer, i) =>
        buffer.numbers(kernel.inputs[i]).subarray(0, Math.max(1, program.inputElements[i])),
      );
      // Only now, since an output may be the buffer of an input.
      program.run(read, scalars).forEach((result, output) => {
        outputs[output].numbers(program.outputs[output].dtype).set(result);
      });
    }
  }

  async finish(): Promise<void> {
    this.#checkOpen();
  }

  memory(): MemoryReport {
    const report = this.#buffers.report();
    return { ...report, reservedBytes: report.bytes };
  }

  /** Gives back the memory of compiled kernels, which are compiled anew when they run again. */
  trim(): void {
    for (const program of this.#programs.values()) program.destroy();
    this.#programs.clear();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.trim();
    this.#buffers.clear();
    await this.#compiler.close();
  }

  #program(kernel: Kernel): LoadedProgram {
    const key = kernelKey(kernel);
    let program = this.#programs.get(key);
    if (program === undefined) {
      checkKernel(kernel);
      program = {
        ...this.#compiler.compile(kernel),
        inputElements: kernelInputElements(kernel),
        outputs: kernelOutputs(kernel),
      };
    }
    this.#programs.delete(key);
    this.#programs.set(key, program);
    if (this.#programs.size > MOST_PROGRAMS) this.#forgetOldest();
    return program;
  }

  #forgetOldest(): void {
    for (const [key, program] of this.#programs) {
      program.destroy();
      this.#programs.delete(key);
      return;
    }
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new DmpoError('DEVICE_CLOSED', 'The gpujs device is closed.', 'Open a device and use that one.');
  }

  #own(buffer: DeviceBuffer, elements = 0): GpuJsBuffer {
    this.#checkOpen();
    return this.#buffers.get(buffer, elements);
  }
}
