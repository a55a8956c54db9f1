/** Bind groups, kept by layout and buffers: making one costs more than all the rest of a dispatch. */

import type { PooledBuffer } from './buffer-pool.js';
import type { BufferLayout } from './pipelines.js';

/** More than any program needs from step to step; where buffers never repeat, groups must not pile up. */
const MOST_GROUPS = 16384;

export class BindGroups {
  readonly #gpu: GPUDevice;
  readonly #groups = new Map<string, GPUBindGroup>();
  /** Keys of the groups that a buffer is in, by the buffer's id. */
  readonly #keysOf = new Map<number, string[]>();
  #created = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Groups made so far. */
  get created(): number {
    return this.#created;
  }

  get(layout: BufferLayout, buffers: readonly PooledBuffer[]): GPUBindGroup {
    let key = `${layout.id}`;
    for (const { id } of buffers) key += ` ${id}`;
    return this.#groups.get(key) ?? this.#create(key, layout, buffers);
  }

  /** Drops the groups of a buffer that is about to be destroyed. */
  forget({ id }: PooledBuffer): void {
    for (const key of this.#keysOf.get(id) ?? []) this.#groups.delete(key);
    this.#keysOf.delete(id);
  }

  #create(key: string, layout: BufferLayout, buffers: readonly PooledBuffer[]): GPUBindGroup {
    if (this.#groups.size >= MOST_GROUPS) {
      this.#groups.clear();
      this.#keysOf.clear();
    }
    const group = this.#gpu.createBindGroup({
      layout: layout.gpu,
      entries: buffers.map(({ gpu }, binding) => ({ binding, resource: { buffer: gpu } })),
    });
    this.#created++;
    this.#groups.set(key, group);
    for (const { id } of buffers) {
      const keys = this.#keysOf.get(id);
      if (keys === undefined) this.#keysOf.set(id, [key]);
      else keys.push(key);
    }
    return group;
  }
}
