/** The Device contract: buffers and numbers, nothing of tensors or gradients. Core hands a device kernels and buffers. */

import type { create } from 'webgpu';
import type { DType, HostArray } from './dtype.js';
import type { Kernel } from './kernel.js';
import type { AdapterClass } from './webgpu/target.js';
import type { TuningReport } from './webgpu/tune/tune.js';

/** Device memory. Untyped: `bytesPerElement` of whatever dtype it is used with. */
export interface DeviceBuffer {
  readonly byteLength: number;
}

/** One kernel on particular buffers with particular numbers. */
export interface Command {
  readonly kernel: Kernel;
  /** One per `kernel.inputs`. */
  readonly inputs: readonly DeviceBuffer[];
  /** One per `kernelOutputs(kernel)`. */
  readonly outputs: readonly DeviceBuffer[];
  /** One per `kernel.scalars`: the numbers that may differ at every run. */
  readonly scalars: readonly number[];
}

export interface MemoryReport {
  /** Buffers allocated and not yet freed, and their bytes. */
  readonly buffers: number;
  readonly bytes: number;
  /** Largest `bytes` so far. */
  readonly peakBytes: number;
  /** Bytes taken from the system, buffers or not. */
  readonly reservedBytes: number;
}

/** When a command's kernel ran. Times are in microseconds, on a clock of the device. */
export interface KernelTime {
  readonly kernel: Kernel;
  /** The pieces that the device cut it into; none if there was nothing to compute. */
  readonly parts: readonly { readonly label: string; readonly begin: number; readonly end: number }[];
}

export interface Device {
  /** 'cpu', 'reference', 'webgpu', 'gpujs' */
  readonly name: string;
  /** One line for people: threads, instruction set, adapter. */
  readonly description: string;
  /** Whether buffers and kernels may have the dtype float16; where not, both throw `UNSUPPORTED_DTYPE`. */
  readonly hasFloat16: boolean;
  /** A new buffer of at least one element; its content is undefined. Throws `OUT_OF_MEMORY`. */
  allocate(byteLength: number): DeviceBuffer;
  /** Gives the memory back. Freeing twice is an error; after `close` it does nothing, whoever may still let go of a buffer. */
  free(buffer: DeviceBuffer): void;
  /** Copies host numbers to the start of the buffer, converted to `dtype`, in order with submitted commands. */
  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void;
  /** The first `elements` elements, once every command submitted before has run. */
  read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray>;
  /** Compiles kernels ahead of their first run, where the device compiles. */
  prepare(kernels: readonly Kernel[], onProgress?: (done: number, total: number) => void): Promise<void>;
  /** Runs commands in order. Returns when they are enqueued; a device that computes in the calling thread returns when done. */
  submit(commands: readonly Command[]): void;
  /** Resolves when everything submitted has run; rejects with the typed error of what failed. */
  finish(): Promise<void>;
  memory(): MemoryReport;
  /**
   * Does `work` and times each command that it submits, in order; kernels run one by one meanwhile. Absent where the device cannot.
   * Throws `PROFILING` while another profile is taken.
   */
  profile?(work: () => void | Promise<void>): Promise<KernelTime[]>;
  /**
   * Measures how each of these kernels runs fastest here and stores the choices, where the device has a choice. Absent where it has
   * none; throws `UNSUPPORTED` where it cannot measure.
   */
  tune?(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<TuningReport>;
  /** What the device counts for the curious, from when it was opened. */
  statistics?(): Readonly<Record<string, number>>;
  /** Returns cached memory to the system where that is possible. */
  trim(): void;
  /** Ends workers and frees everything. The device is unusable afterwards. */
  close(): Promise<void>;
}

export type DeviceName = 'auto' | 'webgpu' | 'cpu' | 'gpujs' | 'reference';

/** How gpu.js computes: in WebGL2 (browsers), headless OpenGL (Node with the package `gl`), WebAssembly or plain JavaScript. */
export type GpuJsMode = 'webgl2' | 'headlessgl' | 'webasm' | 'cpu';

/** WebGPU's GPUDevice, named by way of the package that brings the types of WebGPU: users' programs may lack the global name. */
export type GpuDevice = Awaited<ReturnType<GpuAdapter['requestDevice']>>;
type GpuAdapter = NonNullable<Awaited<ReturnType<ReturnType<typeof create>['requestAdapter']>>>;

export interface DeviceOptions {
  /** CPU: threads to use, the calling one included. Default: one per available core. */
  readonly threads?: number;
  /** CPU: use relaxed SIMD (fused multiply-add) where the engine has it. Default true. */
  readonly relaxedSimd?: boolean;
  /** gpujs: compute in this mode. Default: the first of webgl2, headlessgl, webasm and cpu that works here. For tests. */
  readonly gpujsMode?: GpuJsMode;
  /** WebGPU: write kernels for this class of adapter, not for the one that the adapter seems to be. For experts and tests. */
  readonly adapterClass?: AdapterClass;
  /** WebGPU: use no more than WebGPU promises on every adapter. For tests. Default false. */
  readonly defaultLimits?: boolean;
  /**
   * WebGPU: compute on this device, which `close` leaves open. Default: a device of the fastest adapter. In Node, keep the object that
   * `create` of the package webgpu gave as long as the device: Dawn crashes if it is collected before.
   */
  readonly gpuDevice?: GpuDevice;
  /**
   * WebGPU: called as the kernels of new work are compiled, before it runs, with how many of them are done. The first step of a program
   * compiles most of what it needs.
   */
  readonly onCompile?: (done: number, total: number) => void;
  /** Fill every buffer with NaN when it is allocated, so that a read of undefined memory shows. For tests. */
  readonly poison?: boolean;
}
