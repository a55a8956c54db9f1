/** Times compute passes by timestamp queries: a ring of query sets, each resolved and read when its passes are submitted. */

import { bufferUsage, MAP_READ } from './flags.js';

/** WebGPU allows 4096 queries in a set; a pass takes two. */
const PASSES = 1024;
const BYTES = 2 * PASSES * 8;

export interface PassTime {
  /** Microseconds on the GPU's clock. */
  readonly begin: number;
  readonly end: number;
}

export class PassTimer {
  readonly #gpu: GPUDevice;
  readonly #free: GPUQuerySet[] = [];
  readonly #all: GPUQuerySet[] = [];
  readonly #times: Promise<PassTime[]>[] = [];
  #current: GPUQuerySet | undefined;
  #passes = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Whether another pass can be timed before the next `resolve`. */
  get hasRoom(): boolean {
    return this.#passes < PASSES;
  }

  /** What the next pass is begun with. */
  next(): GPUComputePassDescriptor {
    this.#current ??= this.#free.pop() ?? this.#create();
    const begin = 2 * this.#passes++;
    return {
      timestampWrites: {
        querySet: this.#current,
        beginningOfPassWriteIndex: begin,
        endOfPassWriteIndex: begin + 1,
      },
    };
  }

  /** Ends an encoder whose passes were timed. The times are read when the caller has submitted it. */
  resolve(encoder: GPUCommandEncoder): void {
    const querySet = this.#current;
    if (querySet === undefined) return;
    const passes = this.#passes;
    const resolved = this.#gpu.createBuffer({
      size: BYTES,
      usage: bufferUsage.queryResolve | bufferUsage.copySource,
    });
    const readable = this.#gpu.createBuffer({
      size: BYTES,
      usage: bufferUsage.mapRead | bufferUsage.copyDestination,
    });
    encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, BYTES);
    this.#current = undefined;
    this.#passes = 0;
    const read = async () => {
      // The caller submits before this goes on.
      await Promise.resolve();
      await readable.mapAsync(MAP_READ);
      const nanoseconds = new BigUint64Array(readable.getMappedRange());
      const times = Array.from({ length: passes }, (_, pass) => ({
        begin: Number(nanoseconds[2 * pass]) / 1e3,
        end: Number(nanoseconds[2 * pass + 1]) / 1e3,
      }));
      readable.destroy();
      resolved.destroy();
      this.#free.push(querySet);
      return times;
    };
    const times = read();
    // Whoever awaits `times` hears of it.
    times.catch(() => undefined);
    this.#times.push(times);
  }

  /** Times of all passes, in order. */
  async times(): Promise<PassTime[]> {
    return (await Promise.all(this.#times)).flat();
  }

  destroy(): void {
    for (const querySet of this.#all) querySet.destroy();
  }

  #create(): GPUQuerySet {
    const querySet = this.#gpu.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
    this.#all.push(querySet);
    return querySet;
  }
}
