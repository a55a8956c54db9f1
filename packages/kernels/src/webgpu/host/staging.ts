/** Reading GPU memory: copies to buffers that the host can map, which are used again. */

import { during, type FailureMonitor } from './failure.js';
import { bufferUsage, MAP_READ } from './flags.js';

/** Bytes of idle buffers that are kept. */
const MOST_IDLE_BYTES = 64 * 2 ** 20;
const SMALLEST = 256;

export class Staging {
  readonly #gpu: GPUDevice;
  readonly #monitor: FailureMonitor;
  readonly #idle: GPUBuffer[] = [];
  #idleBytes = 0;
  #bytes = 0;

  constructor(gpu: GPUDevice, monitor: FailureMonitor) {
    this.#gpu = gpu;
    this.#monitor = monitor;
  }

  /** Bytes of all buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first `byteLength` bytes of `source`, a multiple of 4, as they are after all work submitted before. */
  async read(source: GPUBuffer, byteLength: number): Promise<ArrayBuffer> {
    const buffer = this.#monitor.watch(during('a buffer was read'), () => {
      const staging = this.#take(byteLength);
      const encoder = this.#gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(source, 0, staging, 0, byteLength);
      this.#gpu.queue.submit([encoder.finish()]);
      return staging;
    });
    try {
      await this.#monitor.guard(buffer.mapAsync(MAP_READ, 0, byteLength));
      const bytes = buffer.getMappedRange(0, byteLength).slice(0);
      buffer.unmap();
      this.#give(buffer);
      return bytes;
    } catch (error) {
      this.#destroy(buffer);
      throw error;
    }
  }

  trim(): void {
    for (const buffer of this.#idle.splice(0)) this.#destroy(buffer);
    this.#idleBytes = 0;
  }

  #take(byteLength: number): GPUBuffer {
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(byteLength)));
    const at = this.#idle.findIndex((buffer) => buffer.size === size);
    if (at >= 0) {
      this.#idleBytes -= size;
      return this.#idle.splice(at, 1)[0];
    }
    this.#bytes += size;
    return this.#gpu.createBuffer({ size, usage: bufferUsage.mapRead | bufferUsage.copyDestination });
  }

  #give(buffer: GPUBuffer): void {
    if (this.#idleBytes + buffer.size > MOST_IDLE_BYTES) {
      this.#destroy(buffer);
      return;
    }
    this.#idle.push(buffer);
    this.#idleBytes += buffer.size;
  }

  #destroy(buffer: GPUBuffer): void {
    this.#bytes -= buffer.size;
    buffer.destroy();
  }
}
