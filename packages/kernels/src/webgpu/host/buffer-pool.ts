/**
 * GPU memory: buffers in size classes, used again and again. What runs on a GPU's queue runs in the order in which it was submitted,
 * so a buffer that comes back may go out at once: its next user is behind the work that still uses it.
 */

import { DmpoError } from '../../errors.js';
import { during, type FailureMonitor } from './failure.js';
import { bufferUsage } from './flags.js';

export interface PooledBuffer {
  readonly id: number;
  readonly bytes: number;
  readonly gpu: GPUBuffer;
}

const SMALLEST = 256;

/** Memory may stay this far above what has been needed at most before buffers that wait longest are destroyed. */
const SLACK_FACTOR = 1.25;
const SLACK_BYTES = 64 * 2 ** 20;

export class BufferPool {
  readonly #gpu: GPUDevice;
  readonly #monitor: FailureMonitor;
  /** Destroys a buffer, behind the work that uses it. */
  readonly #release: (buffer: PooledBuffer) => void;
  readonly #mostBytes: number;
  /** Buffers in wait by size, descending by id. */
  readonly #waiting = new Map<number, PooledBuffer[]>();
  /** The same buffers, in the order in which they came back. */
  readonly #byAge = new Set<PooledBuffer>();
  #created = 0;
  #usedBytes = 0;
  #peakBytes = 0;
  #waitingBytes = 0;

  constructor(gpu: GPUDevice, monitor: FailureMonitor, release: (buffer: PooledBuffer) => void) {
    this.#gpu = gpu;
    this.#monitor = monitor;
    this.#release = release;
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    this.#mostBytes = most - (most % SMALLEST);
  }

  /** Bytes of all buffers, in use or waiting. */
  get bytes(): number {
    return this.#usedBytes + this.#waitingBytes;
  }

  /** Buffers made so far. */
  get created(): number {
    return this.#created;
  }

  /**
   * A buffer of at least so many bytes, its content undefined. Of those that fit it is the one made first, so that a program that
   * asks for the same sizes in the same order gets the same buffers every time. Throws `BUFFER_TOO_LARGE`.
   */
  take(byteLength: number): PooledBuffer {
    this.checkSize(byteLength);
    const bytes = this.#sizeClass(byteLength);
    const buffer = this.#waiting.get(bytes)?.pop();
    if (buffer === undefined) this.#makeRoom(bytes);
    else {
      this.#byAge.delete(buffer);
      this.#waitingBytes -= bytes;
    }
    this.#usedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    return buffer ?? this.#create(bytes);
  }

  /** Throws `BUFFER_TOO_LARGE` for more bytes than a shader can see at once. */
  checkSize(byteLength: number): void {
    if (byteLength > this.#mostBytes) {
      throw new DmpoError(
        'BUFFER_TOO_LARGE',
        `A buffer of ${formatBytes(byteLength)} is more than a shader on this GPU can bind: ${formatBytes(this.#mostBytes)}.`,
        "Use a smaller batch, cut the tensor in parts, or open the device 'cpu'.",
      );
    }
  }

  give(buffer: PooledBuffer): void {
    let waiting = this.#waiting.get(buffer.bytes);
    if (waiting === undefined) {
      waiting = [];
      this.#waiting.set(buffer.bytes, waiting);
    }
    let place = waiting.length;
    while (place > 0 && waiting[place - 1].id < buffer.id) place--;
    waiting.splice(place, 0, buffer);
    this.#byAge.add(buffer);
    this.#usedBytes -= buffer.bytes;
    this.#waitingBytes += buffer.bytes;
  }

  /** Destroys all buffers that wait. */
  trim(): void {
    for (const buffer of this.#byAge) this.#destroy(buffer);
    this.#peakBytes = this.#usedBytes;
  }

  /** Destroys those that have waited longest, if without them there is enough for what was needed at most. */
  #makeRoom(bytes: number): void {
    const most = SLACK_FACTOR * Math.max(this.#peakBytes, this.#usedBytes + bytes) + SLACK_BYTES;
    for (const buffer of this.#byAge) {
      if (this.bytes + bytes <= most) break;
      this.#destroy(buffer);
    }
  }

  #create(bytes: number): PooledBuffer {
    const usage = bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination;
    const activity = `allocating ${formatBytes(bytes)}, with ${formatBytes(this.#usedBytes - bytes)} in use`;
    const gpu = this.#monitor.watch(during(activity), () => this.#gpu.createBuffer({ size: bytes, usage }));
    return { id: this.#created++, bytes, gpu };
  }

  #destroy(buffer: PooledBuffer): void {
    const waiting = this.#waiting.get(buffer.bytes) ?? [];
    waiting.splice(waiting.indexOf(buffer), 1);
    this.#byAge.delete(buffer);
    this.#waitingBytes -= buffer.bytes;
    this.#release(buffer);
  }

  /** Eight classes for each power of two waste at most an eighth, where WebGPU lets a shader see so much. */
  #sizeClass(byteLength: number): number {
    const step = Math.max(SMALLEST, 2 ** (Math.floor(Math.log2(Math.max(byteLength, 1))) - 3));
    return Math.min(Math.max(SMALLEST, Math.ceil(byteLength / step) * step), this.#mostBytes);
  }
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${Number((bytes / 1024 ** unit).toFixed(1))} ${units[unit]}`;
}
