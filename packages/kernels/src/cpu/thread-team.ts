/** The threads of the cpu device: the calling one, which leads, and workers that help it with each list of commands. */

import { DmpoError } from '../errors.js';
import * as layout from './assembly/layout.js';
import type { DeviceMemory } from './memory.js';
import type { CpuHost, CpuWorker } from './workers.js';

interface KernelExports {
  lead(commands: number, count: number, maySleep: boolean): void;
  scratchBytes(opcode: number, sizes: number, threads: number): number;
  fail(): void;
}

/** A range of memory that is replaced by a larger one when more is wanted. */
interface Region {
  address: number;
  bytes: number;
}

export class ThreadTeam {
  readonly #threads: number;
  readonly #host: CpuHost;
  readonly #memory: DeviceMemory;
  readonly #exports: KernelExports;
  readonly #workers: CpuWorker[] = [];
  readonly #commands: Region = { address: 0, bytes: 0 };
  readonly #scratch: Region = { address: 0, bytes: 0 };
  readonly #threadMemory: Region = { address: 0, bytes: 0 };

  /** Workers join when they have started: nothing waits for them. Throws `DEVICE_UNAVAILABLE` if one cannot be started. */
  constructor(host: CpuHost, module: WebAssembly.Module, memory: DeviceMemory, threads: number) {
    this.#threads = threads;
    this.#host = host;
    this.#memory = memory;
    const instance = new WebAssembly.Instance(module, { env: { memory: memory.wasm } });
    this.#exports = instance.exports as unknown as KernelExports;
    try {
      for (let thread = 1; thread < threads; thread++) {
        this.#workers.push(host.startWorker({ module, memory: memory.wasm, thread }));
      }
    } catch (cause) {
      void this.stop();
      throw new DmpoError(
        'DEVICE_UNAVAILABLE',
        `Only ${this.#workers.length + 1} of ${threads} threads could be started.`,
        'Open the device with fewer threads.',
        { cause },
      );
    }
  }

  /** Scratch memory for a kernel that decides itself how it cuts its work; its sizes are in memory. */
  scratchBytes(opcode: number, sizes: number): number {
    return this.#exports.scratchBytes(opcode, sizes, this.#threads);
  }

  /** Makes room for a list of commands, and for what its kernels need to run. Returns where the list goes. */
  reserve(commandBytes: number, scratchBytes: number, threadBytes: number): number {
    this.#reserve(this.#commands, commandBytes);
    this.#reserve(this.#scratch, scratchBytes);
    const stride = Math.ceil(threadBytes / layout.LINE) * layout.LINE;
    this.#reserve(this.#threadMemory, stride * this.#threads);
    const { words } = this.#memory;
    words[layout.SCRATCH / 4] = this.#scratch.address;
    words[layout.THREAD_MEMORY / 4] = this.#threadMemory.address;
    words[layout.THREAD_MEMORY_STRIDE / 4] = stride;
    return this.#commands.address;
  }

  /** Runs a list of commands and returns when it is done. Throws if a kernel traps; nothing can run after that. */
  run(commands: number, count: number): void {
    try {
      this.#exports.lead(commands, count, this.#host.maySleep);
    } catch (error) {
      this.#exports.fail();
      throw error;
    }
  }

  /** Gives back the memory that `reserve` took. */
  trim(): void {
    for (const region of [this.#commands, this.#scratch, this.#threadMemory]) {
      if (region.bytes > 0) this.#memory.free(region.address);
      region.address = 0;
      region.bytes = 0;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  #reserve(region: Region, bytes: number): void {
    if (bytes <= region.bytes) return;
    if (region.bytes > 0) this.#memory.free(region.address);
    region.bytes = 0;
    region.address = this.#memory.allocate(bytes);
    region.bytes = bytes;
  }
}
