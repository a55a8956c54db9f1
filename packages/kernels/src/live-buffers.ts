/** The buffers that a device has handed out and not yet been given back: their sum, and the refusal of all others. */

import type { DeviceBuffer, MemoryReport } from './device.js';
import { bytesPerElement, type DType } from './dtype.js';
import { DmpoError } from './errors.js';

export class LiveBuffers<Buffer extends DeviceBuffer> {
  /** Each buffer by itself: whoever looks one up gets it with the device's own type. */
  readonly #alive = new Map<DeviceBuffer, Buffer>();
  #bytes = 0;
  #peakBytes = 0;

  add(buffer: Buffer): void {
    this.#alive.set(buffer, buffer);
    this.#bytes += buffer.byteLength;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
  }

  /** @throws `INVALID_BUFFER` for a buffer that is not alive, or has fewer elements */
  get(buffer: DeviceBuffer, elements = 0, dtype: DType = 'float32'): Buffer {
    const own = this.#alive.get(buffer);
    if (own === undefined) {
      throw new DmpoError(
        'INVALID_BUFFER',
        'The buffer was freed, or belongs to another device.',
        'Use a buffer between its allocate and its free, on the device that allocated it.',
      );
    }
    const bytes = bytesPerElement[dtype];
    if (bytes * elements > own.byteLength) {
      throw new DmpoError(
        'INVALID_BUFFER',
        `The buffer has ${Math.floor(own.byteLength / bytes)} elements of ${dtype}, not ${elements}.`,
        `Allocate ${bytes} bytes for each element.`,
      );
    }
    return own;
  }

  /** @throws `INVALID_BUFFER` for a buffer that is not alive */
  delete(buffer: DeviceBuffer): void {
    this.#bytes -= this.get(buffer).byteLength;
    this.#alive.delete(buffer);
  }

  clear(): void {
    this.#alive.clear();
    this.#bytes = 0;
  }

  report(): Omit<MemoryReport, 'reservedBytes'> {
    return { buffers: this.#alive.size, bytes: this.#bytes, peakBytes: this.#peakBytes };
  }

  [Symbol.iterator](): Iterator<Buffer> {
    return this.#alive.values();
  }
}
