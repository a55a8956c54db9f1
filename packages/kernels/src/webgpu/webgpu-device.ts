/** A device that runs hand-written WGSL on the GPU: Dawn in Node, navigator.gpu in a browser. */

import { checkCommand } from '../check-command.js';
import type { Command, Device, DeviceBuffer, KernelTime, MemoryReport } from '../device.js';
import { bytesPerElement, type DType, type HostArray } from '../dtype.js';
import { DmpoError } from '../errors.js';
import { float16Bits, float16Value } from '../float16.js';
import type { Kernel } from '../kernel.js';
import { inPlaceOf } from '../kernel-map.js';
import { LiveBuffers } from '../live-buffers.js';
import { Profiler } from '../profiler.js';
import { elementWord } from '../words.js';
import { BindGroups } from './host/bind-groups.js';
import { BufferPool, type PooledBuffer } from './host/buffer-pool.js';
import { during, FailureMonitor } from './host/failure.js';
import { Line } from './host/line.js';
import { type PassTime, PassTimer } from './host/pass-timer.js';
import { Pipelines } from './host/pipelines.js';
import { isCompiled, type LoadedProgram, Programs, type ProgramWriter } from './host/programs.js';
import { Recorder } from './host/recorder.js';
import type { Rest } from './host/rest.js';
import { Staging } from './host/staging.js';
import { UniformScalars } from './host/uniform-scalars.js';
import { kernelProgram } from './kernels.js';
import type { Place } from './program.js';
import { type AdapterClass, type Target, targetOf } from './target.js';
import { type TuningReport, tunedTiles, tuneKernels } from './tune/tune.js';
import type { TunedTiles } from './tune/tuning-file.js';

/** A quiet NaN. */
const POISON = 0x7fc00000;

export interface WebGpuSetup {
  readonly description: string;
  readonly adapterClass: AdapterClass;
  /** Whether shaders may have `var<immediate>`. */
  readonly hasImmediates: boolean;
  /** Whether closing the device destroys the GPUDevice. */
  readonly ownsGpu: boolean;
  readonly poison: boolean;
  /** How to wait for the GPU, if it needs the processor. */
  readonly rest?: Rest | undefined;
  /** Writes the programs of kernels; the library's own if absent. */
  readonly programs?: ProgramWriter;
  /** Called as the shaders of a submit are compiled. */
  readonly onCompile?: ((done: number, total: number) => void) | undefined;
  /** Tiles that measuring found best here. */
  readonly tuned?: TunedTiles;
  /** Keeps measured choices for devices opened later; returns where, for people. */
  saveTuning?(tiles: TunedTiles): Promise<string | undefined>;
}

/** Counts since the device was opened. */
export interface WebGpuStatistics extends Readonly<Record<string, number>> {
  readonly dispatches: number;
  readonly submits: number;
  readonly pipelines: number;
  readonly bindGroups: number;
  readonly gpuBuffers: number;
  /** Time the host spent in `submit`, compilation left out, per dispatch. */
  readonly hostMicrosecondsPerDispatch: number;
}

class WebGpuBuffer implements DeviceBuffer {
  constructor(
    readonly byteLength: number,
    readonly memory: PooledBuffer,
  ) {}
}

/** A command whose memory is decided. */
interface PlacedCommand {
  readonly kernel: Kernel;
  readonly program: LoadedProgram;
  readonly scratch: readonly PooledBuffer[];
  /** Of each dispatch. */
  readonly buffers: readonly (readonly PooledBuffer[])[];
  readonly words: Uint32Array;
}

export class WebGpuDevice implements Device {
  readonly name = 'webgpu';
  readonly hasFloat16 = true;
  readonly description: string;
  readonly #gpu: GPUDevice;
  readonly #setup: WebGpuSetup;
  readonly #target: Target;
  readonly #monitor: FailureMonitor;
  readonly #pool: BufferPool;
  readonly #staging: Staging;
  readonly #pipelines: Pipelines;
  readonly #programs: Programs;
  readonly #groups: BindGroups;
  readonly #scalars: UniformScalars;
  readonly #recorder: Recorder;
  readonly #line = new Line();
  readonly #profiler = new Profiler<{ kernel: Kernel; labels: string[] }>();
  readonly #buffers = new LiveBuffers<WebGpuBuffer>();
  #hostMilliseconds = 0;
  #isClosed = false;

  constructor(gpu: GPUDevice, setup: WebGpuSetup) {
    this.#gpu = gpu;
    this.#setup = setup;
    this.description = setup.description;
    this.#monitor = new FailureMonitor(gpu, setup.rest);
    this.#groups = new BindGroups(gpu);
    this.#pool = new BufferPool(gpu, this.#monitor, (buffer) => {
      // What was submitted before still runs with it: WebGPU keeps the memory as long.
      this.#line.add(() => {
        this.#groups.forget(buffer);
        buffer.gpu.destroy();
      });
    });
    this.#staging = new Staging(gpu, this.#monitor);
    this.#pipelines = new Pipelines(gpu, this.#monitor, setup.hasImmediates);
    this.#target = targetOf(gpu, setup.adapterClass, setup.tuned);
    this.#programs = new Programs(this.#pipelines, this.#target, setup.programs ?? kernelProgram);
    this.#scalars = new UniformScalars(gpu, this.#pipelines.scalarLayout);
    this.#recorder = new Recorder(gpu, this.#groups, this.#scalars, setup.adapterClass);
  }

  allocate(byteLength: number): DeviceBuffer {
    this.#monitor.check();
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new RangeError(`a buffer of ${byteLength} bytes`);
    }
    const buffer = new WebGpuBuffer(byteLength, this.#pool.take(byteLength));
    this.#buffers.add(buffer);
    if (this.#setup.poison) this.#line.add(() => this.#poison(buffer.memory));
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (this.#isClosed) return;
    const { memory } = this.#buffers.get(buffer);
    this.#buffers.delete(buffer);
    this.#pool.give(memory);
  }

  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void {
    this.#monitor.check();
    const { memory } = this.#buffers.get(buffer, data.length, dtype);
    const given = typedArray(dtype, data);
    // While the write waits, the caller may change the array.
    const elements = this.#line.isWaiting ? given.slice() : given;
    this.#line.add(() => {
      this.#monitor.watch(during('a buffer was written'), () =>
        this.#gpu.queue.writeBuffer(memory.gpu, 0, elements),
      );
    });
  }

  async read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray> {
    this.#monitor.check();
    const { memory } = this.#buffers.get(buffer, elements, dtype);
    // Whole words are copied.
    const byteLength = 4 * Math.ceil((elements * bytesPerElement[dtype]) / 4);
    const bytes =
      byteLength === 0
        ? new ArrayBuffer(0)
        : await this.#inTurn(() => this.#staging.read(memory.gpu, byteLength));
    switch (dtype) {
      case 'float32':
        return new Float32Array(bytes);
      case 'float16':
        return Float32Array.from(new Uint16Array(bytes, 0, elements), float16Value);
      case 'int32':
        return new Int32Array(bytes);
      case 'uint32':
      case 'bool':
        return new Uint32Array(bytes);
      default:
        return dtype satisfies never;
    }
  }

  /** Compiles in parallel. Rejects with `INVALID_SHADER`, naming the kernel, if the GPU refuses a shader. */
  async prepare(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.#monitor.check();
    const programs = kernels.map((kernel) => this.#programs.load(kernel, []));
    let done = 0;
    await this.#monitor.guard(this.#programs.prepare(programs, () => onProgress?.(++done, programs.length)));
  }

  /** Kernels that run for the first time are compiled in parallel; what is asked for after them waits its turn. */
  submit(commands: readonly Command[]): void {
    this.#monitor.check();
    const programs = commands.map((command) => this.#load(command));
    const placed = commands.map((command, i) => this.#place(command, programs[i]));
    const missing = programs.filter((program) => !isCompiled(program));
    const run = () => this.#run(placed);
    if (missing.length === 0) this.#line.add(run);
    else this.#line.addBehind(this.#compile([...new Set(missing)]), run);
  }

  async finish(): Promise<void> {
    await this.#inTurn(() => this.#monitor.guard(this.#gpu.queue.onSubmittedWorkDone()));
  }

  /** By timestamps of the GPU, each kernel's part a compute pass of its own. Throws `UNSUPPORTED` where the adapter has none. */
  async profile(work: () => void | Promise<void>): Promise<KernelTime[]> {
    this.#monitor.check();
    this.#checkTimestamps();
    const timer = new PassTimer(this.#gpu);
    try {
      await this.#inTurn(async () => {});
      const commands = await this.#profiler.record(async () => {
        this.#recorder.timer = timer;
        await work();
        await this.#inTurn(async () => {});
      });
      const times = (await this.#monitor.guard(timer.times())).values();
      return commands.map(({ kernel, labels }) => ({
        kernel,
        parts: labels.map((label) => ({ label, ...(times.next().value as PassTime) })),
      }));
    } finally {
      if (this.#recorder.timer === timer) this.#recorder.timer = undefined;
      timer.destroy();
    }
  }

  /** By timestamps of the GPU; choices made earlier play no part. Devices opened later take the chosen tiles, this one does not. */
  async tune(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<TuningReport> {
    this.#monitor.check();
    this.#checkTimestamps();
    const { tuned: _, ...untuned } = this.#target;
    const open = (tuned: TunedTiles) =>
      new WebGpuDevice(this.#gpu, { ...this.#setup, ownsGpu: false, poison: false, tuned });
    const shapes = await tuneKernels(kernels, untuned, open, onProgress);
    const storedIn = await this.#setup.saveTuning?.(tunedTiles(shapes));
    return { shapes, ...(storedIn === undefined ? {} : { storedIn }) };
  }

  memory(): MemoryReport {
    const reservedBytes = this.#isClosed ? 0 : this.#pool.bytes + this.#staging.bytes;
    return { ...this.#buffers.report(), reservedBytes };
  }

  /** Destroys all buffers that nobody uses. */
  trim(): void {
    this.#monitor.check();
    this.#pool.trim();
    this.#staging.trim();
  }

  /** What waits for the device is rejected with `DEVICE_CLOSED`. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#monitor.close(
      new DmpoError('DEVICE_CLOSED', 'The webgpu device is closed.', 'Open a device and use that one.'),
    );
    for (const { memory } of this.#buffers) this.#pool.give(memory);
    this.#buffers.clear();
    this.#pool.trim();
    this.#staging.trim();
    this.#scalars.destroy();
    if (this.#setup.ownsGpu) this.#gpu.destroy();
  }

  statistics(): WebGpuStatistics {
    const { dispatches, submits } = this.#recorder.counts;
    return {
      dispatches,
      submits,
      pipelines: this.#pipelines.count,
      bindGroups: this.#groups.created,
      gpuBuffers: this.#pool.created,
      hostMicrosecondsPerDispatch: (1000 * this.#hostMilliseconds) / Math.max(dispatches, 1),
    };
  }

  #checkTimestamps(): void {
    if (this.#gpu.features.has('timestamp-query')) return;
    throw new DmpoError(
      'UNSUPPORTED',
      'This adapter cannot measure time on the GPU.',
      "Profile on another adapter, or on the device 'cpu'.",
    );
  }

  /** Checks a command and finds the program that runs it. */
  #load(command: Command): LoadedProgram {
    const { kernel, inputs, outputs, scalars } = command;
    const inPlace = inPlaceOf(command);
    let program = this.#programs.find(kernel, inPlace);
    if (program === undefined) {
      // For a command that makes no sense no program can be written.
      checkCommand(command);
      program = this.#programs.load(kernel, inPlace);
    }
    const { inputBytes, outputBytes } = program;
    const isFine =
      scalars.length === kernel.scalars.length &&
      inputs.length === inputBytes.length &&
      outputs.length === outputBytes.length &&
      inputs.every((buffer, i) => buffer.byteLength >= inputBytes[i]) &&
      outputs.every((buffer, i) => buffer.byteLength >= outputBytes[i]);
    if (!isFine || new Set(outputs).size !== outputs.length) checkCommand(command);
    for (const buffer of inputs) this.#buffers.get(buffer);
    for (const buffer of outputs) this.#buffers.get(buffer);
    for (const bytes of program.scratch) this.#pool.checkSize(bytes);
    return program;
  }

  /** What `work` resolves to when its turn has come. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#line.isWaiting) return work();
    const turn = new Promise<Result>((resolve, reject) => {
      this.#line.add(() => {
        // Whoever waits has heard of a failure.
        if (!this.#monitor.hasFailed) work().then(resolve, reject);
      });
    });
    return this.#monitor.guard(turn);
  }

  /** Never rejects: a shader that the GPU refuses is a failure of the device. */
  async #compile(programs: readonly LoadedProgram[]): Promise<void> {
    let done = 0;
    const onReady = () => this.#setup.onCompile?.(++done, programs.length);
    try {
      await this.#programs.prepare(programs, onReady);
    } catch (error) {
      this.#monitor.fail(error as DmpoError);
    }
  }

  /** Decides which memory each dispatch of a command works on. */
  #place({ kernel, inputs, outputs, scalars }: Command, program: LoadedProgram): PlacedCommand {
    const scratch = program.scratch.map((bytes) => this.#pool.take(bytes));
    const memoryAt = (place: Place): PooledBuffer => {
      if ('scratch' in place) return scratch[place.scratch];
      return this.#buffers.get('input' in place ? inputs[place.input] : outputs[place.output]).memory;
    };
    const words = Uint32Array.from(scalars, (value, slot) => elementWord(value, kernel.scalars[slot]));
    const buffers = program.dispatches.map((dispatch) =>
      dispatch.buffers.map(({ place }) => memoryAt(place)),
    );
    // The next command may have them: its dispatches come later.
    for (const buffer of scratch) this.#pool.give(buffer);
    return { kernel, program, scratch, buffers, words };
  }

  #run(commands: readonly PlacedCommand[]): void {
    if (this.#monitor.hasFailed) return;
    const start = performance.now();
    this.#monitor.watch(during('commands ran'), () => {
      for (const command of commands) this.#record(command);
      this.#recorder.flush();
    });
    this.#hostMilliseconds += performance.now() - start;
  }

  #record({ kernel, program, scratch, buffers, words }: PlacedCommand): void {
    if (this.#setup.poison && scratch.length > 0) {
      this.#recorder.flush();
      for (const buffer of scratch) this.#poison(buffer);
    }
    program.dispatches.forEach(({ pipeline, workgroups }, i) => {
      if (pipeline !== undefined)
        this.#recorder.dispatch(pipeline, buffers[i], words, workgroups, program.work);
    });
    this.#profiler.add({ kernel, labels: program.dispatches.map(({ label }) => label) });
  }

  #poison({ gpu, bytes }: PooledBuffer): void {
    this.#gpu.queue.writeBuffer(gpu, 0, new Uint32Array(bytes / 4).fill(POISON));
  }
}

/** Host numbers as a buffer holds them; the given array where it is so already, and not shared with other threads. */
function typedArray(dtype: DType, data: ArrayLike<number>) {
  switch (dtype) {
    case 'float32':
      return data instanceof Float32Array && isUnshared(data) ? data : Float32Array.from(data);
    case 'int32':
      return data instanceof Int32Array && isUnshared(data) ? data : Int32Array.from(data);
    case 'uint32':
      return data instanceof Uint32Array && isUnshared(data) ? data : Uint32Array.from(data);
    case 'bool':
      return Uint32Array.from(data, (value) => (value !== 0 ? 1 : 0));
    case 'float16': {
      // Whole words are written.
      const pairs = new Uint16Array(2 * Math.ceil(data.length / 2));
      for (let i = 0; i < data.length; i++) pairs[i] = float16Bits(data[i]);
      return pairs;
    }
    default:
      return dtype satisfies never;
  }
}

function isUnshared<View extends ArrayBufferView>(data: View): data is View & { buffer: ArrayBuffer } {
  return data.buffer instanceof ArrayBuffer;
}
