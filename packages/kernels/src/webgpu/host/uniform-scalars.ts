/** Scalars where there are no immediates, or too few: slices of one uniform buffer, written once before each submit. */

import { bufferUsage } from './flags.js';

/** The size that every adapter can bind. */
const CAPACITY = 65536;

export interface ScalarSlice {
  readonly group: GPUBindGroup;
  readonly offset: number;
}

export class UniformScalars {
  readonly #gpu: GPUDevice;
  readonly #layout: GPUBindGroupLayout;
  readonly #alignment: number;
  readonly #words = new Uint32Array(CAPACITY / 4);
  /** One per size of a slice. */
  readonly #groups = new Map<number, GPUBindGroup>();
  #buffer: GPUBuffer | undefined;
  #end = 0;

  constructor(gpu: GPUDevice, layout: GPUBindGroupLayout) {
    this.#gpu = gpu;
    this.#layout = layout;
    this.#alignment = gpu.limits.minUniformBufferOffsetAlignment;
  }

  /** Whether so many words still fit before the next `upload`. */
  hasRoom(words: number): boolean {
    return this.#end + this.#sizeOf(words) <= CAPACITY;
  }

  add(words: Uint32Array): ScalarSlice {
    const offset = this.#end;
    const size = this.#sizeOf(words.length);
    this.#words.set(words, offset / 4);
    this.#end += size;
    let group = this.#groups.get(size);
    if (group === undefined) {
      this.#buffer ??= this.#gpu.createBuffer({
        size: CAPACITY,
        usage: bufferUsage.uniform | bufferUsage.copyDestination,
      });
      group = this.#gpu.createBindGroup({
        layout: this.#layout,
        entries: [{ binding: 0, resource: { buffer: this.#buffer, size } }],
      });
      this.#groups.set(size, group);
    }
    return { group, offset };
  }

  /** Writes what was added, behind the work submitted so far and before what is submitted next, and begins anew. */
  upload(): void {
    if (this.#buffer !== undefined && this.#end > 0)
      this.#gpu.queue.writeBuffer(this.#buffer, 0, this.#words, 0, this.#end / 4);
    this.#end = 0;
  }

  destroy(): void {
    this.#buffer?.destroy();
  }

  #sizeOf(words: number): number {
    return Math.ceil((4 * words) / this.#alignment) * this.#alignment;
  }
}
