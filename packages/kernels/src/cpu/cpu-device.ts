/** A device that computes in SIMD WebAssembly on all cores: buffers are ranges of one memory that its threads share. */

import { checkCommand } from '../check-command.js';
import { noFloat16 } from '../check-kernel.js';
import type { Command, Device, DeviceBuffer, DeviceOptions, KernelTime, MemoryReport } from '../device.js';
import { type DType, type HostArray, WORD_BYTES } from '../dtype.js';
import { DmpoError } from '../errors.js';
import type { Kernel } from '../kernel.js';
import { inPlaceOf } from '../kernel-map.js';
import { LiveBuffers } from '../live-buffers.js';
import { Profiler } from '../profiler.js';
import { elementWord } from '../words.js';
import { COMMAND_HEADER_WORDS, KernelCache, type LoadedKernel, VECTOR_WORDS } from './kernel-cache.js';
import { DeviceMemory } from './memory.js';

import { ThreadTeam } from './thread-team.js';
import { compileKernels } from './wasm-module.js';
import type { CpuHost } from './workers.js';

const MOST_THREADS = 16;
/** A quiet NaN. */
const POISON = 0x7fc00000;

/** Opens the device. Throws `DEVICE_UNAVAILABLE` if the engine lacks SIMD, or cannot start so many threads. */
export async function openCpuDevice(host: CpuHost, options: DeviceOptions = {}): Promise<Device> {
  const wanted = options.threads ?? Math.min(host.cores, MOST_THREADS);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST_THREADS) {
    throw new DmpoError(
      'INVALID_OPTION',
      `The cpu device cannot use ${wanted} threads.`,
      `Ask for 1 to ${MOST_THREADS}, or leave the number out.`,
    );
  }
  const threads = host.canShareMemory ? wanted : 1;
  const { module, relaxed } = await compileKernels(options.relaxedSimd ?? true, host.enableRelaxedSimd);
  const memory = new DeviceMemory();
  const team = new ThreadTeam(host, module, memory, threads);
  const isolation = host.canShareMemory ? '' : '; more need a cross-origin isolated page';
  const description = `${threads} ${threads === 1 ? 'thread' : 'threads'}${isolation}, WebAssembly with ${
    relaxed ? 'relaxed SIMD' : 'SIMD'
  }`;
  return new CpuDevice(memory, team, description, options.poison ?? false);
}

class CpuBuffer implements DeviceBuffer {
  constructor(
    readonly byteLength: number,
    readonly address: number,
  ) {}
}

class CpuDevice implements Device {
  readonly name = 'cpu';
  readonly hasFloat16 = false;
  readonly description: string;
  readonly #memory: DeviceMemory;
  readonly #team: ThreadTeam;
  readonly #kernels: KernelCache;
  readonly #poison: boolean;
  readonly #buffers = new LiveBuffers<CpuBuffer>();
  readonly #profiler = new Profiler<KernelTime>();
  #isClosed = false;
  #failure: DmpoError | undefined;

  constructor(memory: DeviceMemory, team: ThreadTeam, description: string, poison: boolean) {
    this.#memory = memory;
    this.#team = team;
    this.#kernels = new KernelCache(memory, team);
    this.description = description;
    this.#poison = poison;
  }

  allocate(byteLength: number): DeviceBuffer {
    this.#checkUsable();
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new RangeError(`a buffer of ${byteLength} bytes`);
    }
    const address = this.#memory.allocate(byteLength);
    const buffer = new CpuBuffer(byteLength, address);
    if (this.#poison) this.#memory.poison(address, byteLength, POISON);
    this.#buffers.add(buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (this.#isClosed) return;
    const { address } = this.#own(buffer);
    this.#memory.free(address);
    this.#buffers.delete(buffer);
  }

  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void {
    const first = this.#own(buffer, data.length).address / WORD_BYTES;
    const { floats, integers, words } = this.#memory;
    switch (dtype) {
      case 'float32':
        floats.set(data, first);
        break;
      case 'int32':
        integers.set(data, first);
        break;
      case 'uint32':
        words.set(data, first);
        break;
      case 'bool':
        for (let i = 0; i < data.length; i++) words[first + i] = data[i] !== 0 ? 1 : 0;
        break;
      case 'float16':
        throw noFloat16('cpu');
      default:
        dtype satisfies never;
    }
  }

  async read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray> {
    const first = this.#own(buffer, elements).address / WORD_BYTES;
    const { floats, integers, words } = this.#memory;
    switch (dtype) {
      case 'float32':
        return new Float32Array(floats.subarray(first, first + elements));
      case 'int32':
        return new Int32Array(integers.subarray(first, first + elements));
      case 'uint32':
      case 'bool':
        return new Uint32Array(words.subarray(first, first + elements));
      case 'float16':
        throw noFloat16('cpu');
      default:
        return dtype satisfies never;
    }
  }

  async prepare(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.#checkUsable();
    kernels.forEach((kernel, done) => {
      this.#kernels.load(kernel, []);
      onProgress?.(done + 1, kernels.length);
    });
  }

  submit(commands: readonly Command[]): void {
    this.#checkUsable();
    if (!this.#profiler.isOn) {
      this.#run(commands);
      return;
    }
    for (const command of commands) {
      const begin = 1000 * performance.now();
      this.#run([command]);
      const { kernel } = command;
      const part = { label: kernel.kind, begin, end: 1000 * performance.now() };
      this.#profiler.add({ kernel, parts: [part] });
    }
  }

  async profile(work: () => void | Promise<void>): Promise<KernelTime[]> {
    this.#checkUsable();
    return this.#profiler.record(work);
  }

  async finish(): Promise<void> {
    this.#checkUsable();
  }

  memory(): MemoryReport {
    return {
      ...this.#buffers.report(),
      reservedBytes: this.#isClosed ? 0 : this.#memory.byteLength,
    };
  }

  /** WebAssembly memory cannot shrink, but what compiled kernels and scratch memory hold becomes free for buffers. */
  trim(): void {
    this.#checkUsable();
    this.#kernels.clear();
    this.#team.trim();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#buffers.clear();
    await this.#team.stop();
  }

  #run(commands: readonly Command[]): void {
    const loaded = commands.map((command) => this.#load(command));
    let words = 0;
    let scratchBytes = 0;
    let threadBytes = 0;
    let count = 0;
    for (const kernel of loaded) {
      if (kernel.address === undefined) continue;
      words += kernel.commandWords;
      scratchBytes = Math.max(scratchBytes, kernel.scratchBytes);
      threadBytes = Math.max(threadBytes, kernel.threadBytes);
      count++;
    }
    if (count === 0) return;
    const list = this.#team.reserve(4 * words, scratchBytes, threadBytes);
    let at = list / 4;
    commands.forEach((command, i) => {
      at = this.#encode(command, loaded[i], at);
    });
    try {
      this.#team.run(list, count);
    } catch (error) {
      this.#failure = new DmpoError(
        'DEVICE_FAILED',
        `The cpu device's kernels failed: ${error instanceof Error ? error.message : String(error)}.`,
        'Open the device again; if it fails again, report the kernels that it ran.',
        { cause: error },
      );
      throw this.#failure;
    }
  }

  /** Checks a command and finds the code that runs it. */
  #load(command: Command): LoadedKernel {
    const { kernel, inputs, outputs, scalars } = command;
    const inPlace = inPlaceOf(command);
    const loaded = this.#kernels.load(kernel, inPlace);
    const { inputElements, outputElements } = loaded;
    const isFine =
      (inPlace.length === 0 || kernel.kind === 'map') &&
      scalars.length === kernel.scalars.length &&
      inputs.length === inputElements.length &&
      outputs.length === outputElements.length &&
      inputs.every((buffer, i) => buffer.byteLength >= 4 * inputElements[i]) &&
      outputs.every((buffer, i) => buffer.byteLength >= 4 * outputElements[i]);
    if (!isFine || inPlace.length > 0) checkCommand(command);
    for (const buffer of inputs) this.#own(buffer);
    for (const buffer of outputs) this.#own(buffer);
    return loaded;
  }

  /** Writes a command as assembly/command.ts reads it and returns where the next one goes. */
  #encode({ kernel, inputs, outputs, scalars }: Command, loaded: LoadedKernel, at: number): number {
    const { opcode, address, scalarsAt, commandWords } = loaded;
    if (address === undefined) return at;
    const { words } = this.#memory;
    words[at] = opcode;
    words[at + 1] = 4 * (at + commandWords);
    words[at + 2] = address;
    words[at + 3] = 4 * (at + scalarsAt);
    let pointer = at + COMMAND_HEADER_WORDS;
    for (const buffer of inputs) words[pointer++] = this.#own(buffer).address;
    for (const buffer of outputs) words[pointer++] = this.#own(buffer).address;
    scalars.forEach((value, slot) => {
      const vector = at + scalarsAt + VECTOR_WORDS * slot;
      words.fill(elementWord(value, kernel.scalars[slot]), vector, vector + VECTOR_WORDS);
    });
    return at + commandWords;
  }

  /** The buffer as this device's own, with room for `elements`. */
  #own(buffer: DeviceBuffer, elements = 0): CpuBuffer {
    this.#checkUsable();
    return this.#buffers.get(buffer, elements);
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) {
      throw new DmpoError('DEVICE_CLOSED', 'The cpu device is closed.', 'Open a device and use that one.');
    }
  }
}
