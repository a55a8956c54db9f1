/** A device that runs the portable programs through gpu.js: WebGL2, headless OpenGL, WebAssembly or plain JavaScript. */

import { checkCommand } from '../check-command.js';
import { checkKernel, noFloat16, refuseFloat16 } from '../check-kernel.js';
import type { Command, Device, DeviceBuffer, DeviceOptions, GpuJsMode, MemoryReport } from '../device.js';
import { type DType, type HostArray, WORD_BYTES } from '../dtype.js';
import { DmpoError } from '../errors.js';
import { type Kernel, kernelInputElements, kernelOutputs, type OutputSpec } from '../kernel.js';
import { KernelMap } from '../kernel-map.js';
import { LiveBuffers } from '../live-buffers.js';
import { type GpuJs, loadGpuJs } from './library.js';
import { type ArrayLimit, arrayLimit, checkLimit, chooseMode } from './mode.js';
import { type CompiledProgram, Compiler } from './program.js';

/** Compiled kernels hold memory of their own, of which engines give out so many pieces. A training step has a few hundred. */
const MOST_PROGRAMS = 2048;

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
    if (dtype === 'float16') throw noFloat16('gpujs');
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
  readonly hasFloat16 = false;
  readonly description: string;
  readonly #limit: ArrayLimit | undefined;
  readonly #compiler: Compiler;
  readonly #poison: boolean;
  readonly #buffers = new LiveBuffers<GpuJsBuffer>();
  readonly #programs = new KernelMap((kernel) => this.#load(kernel));
  #programCount = 0;
  #isClosed = false;
  #failure: DmpoError | undefined;

  constructor(library: GpuJs, mode: GpuJsMode, poison: boolean) {
    this.description = `gpu.js, ${descriptions[mode]}`;
    this.#limit = arrayLimit(library, mode);
    this.#compiler = new Compiler(library, mode, this.#limit);
    this.#poison = poison;
  }

  /** Throws `BUFFER_TOO_LARGE` for more elements than OpenGL can count or hold in a texture. */
  allocate(byteLength: number): DeviceBuffer {
    this.#checkUsable();
    const elements = Math.max(1, Math.ceil(byteLength / WORD_BYTES));
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
    this.#checkUsable();
    kernels.forEach((kernel, done) => {
      this.#programs.get(kernel, []);
      onProgress?.(done + 1, kernels.length);
    });
  }

  submit(commands: readonly Command[]): void {
    for (const command of commands) {
      checkCommand(command);
      const { kernel, scalars } = command;
      const inputs = command.inputs.map((buffer) => this.#own(buffer));
      const outputs = command.outputs.map((buffer) => this.#own(buffer));
      const program = this.#programs.get(kernel, []);
      const read = inputs.map((buffer, i) =>
        buffer.numbers(kernel.inputs[i]).subarray(0, Math.max(1, program.inputElements[i])),
      );
      // Only now, since an output may be the buffer of an input.
      this.#run(kernel, () => program.run(read, scalars)).forEach((result, output) => {
        outputs[output].numbers(program.outputs[output].dtype).set(result);
      });
    }
  }

  async finish(): Promise<void> {
    this.#checkUsable();
  }

  memory(): MemoryReport {
    const report = this.#buffers.report();
    return { ...report, reservedBytes: report.bytes };
  }

  /** Gives back the memory of compiled kernels, which are compiled anew when they run again. */
  trim(): void {
    for (const program of this.#programs.values()) program.destroy();
    this.#programs.clear();
    this.#programCount = 0;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.trim();
    this.#buffers.clear();
    await this.#compiler.close();
  }

  #load(kernel: Kernel): LoadedProgram {
    checkKernel(kernel);
    refuseFloat16(kernel, 'gpujs');
    if (this.#programCount === MOST_PROGRAMS) this.trim();
    this.#programCount++;
    return {
      ...this.#compiler.compile(kernel),
      inputElements: kernelInputElements(kernel),
      outputs: kernelOutputs(kernel),
    };
  }

  /** What `compute` gives. Its failure is final: what buffers hold from then on is not what was asked for. */
  #run<Result>(kernel: Kernel, compute: () => Result): Result {
    try {
      const result = compute();
      // OpenGL goes on without its context, and computes zeros.
      if (!this.#compiler.isContextLost()) return result;
      this.#failure = contextLost();
    } catch (cause) {
      this.#failure = this.#compiler.isContextLost() ? contextLost(cause) : failed(kernel, cause);
    }
    throw this.#failure;
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) {
      throw new DmpoError('DEVICE_CLOSED', 'The gpujs device is closed.', 'Open a device and use that one.');
    }
  }

  #own(buffer: DeviceBuffer, elements = 0): GpuJsBuffer {
    this.#checkUsable();
    return this.#buffers.get(buffer, elements);
  }
}

function contextLost(cause?: unknown): DmpoError {
  return new DmpoError(
    'DEVICE_LOST',
    'The browser took the OpenGL context away: the graphics card was reset, or too many pages use it.',
    "Open a device again, with gpujsMode: 'webasm' if this happens often.",
    { cause },
  );
}

function failed({ kind }: Kernel, cause: unknown): DmpoError {
  return new DmpoError(
    'DEVICE_FAILED',
    `gpu.js failed in a ${kind} kernel: ${cause instanceof Error ? cause.message : cause}.`,
    'Open a device again and use smaller batches, in case that memory ran out.',
    { cause },
  );
}
