/**
 * Records dispatches and submits them: many to a compute pass, so that the host is quick, but not so many that the GPU waits for the
 * host, or that the system takes a long submit for a hang.
 */

import type { AdapterClass } from '../target.js';
import type { BindGroups } from './bind-groups.js';
import type { PooledBuffer } from './buffer-pool.js';
import type { PassTimer } from './pass-timer.js';
import type { Pipeline } from './pipelines.js';
import type { ScalarSlice, UniformScalars } from './uniform-scalars.js';

/** The first submit after an idle time is short, so that the GPU begins soon; each next one may be twice as long. */
const FIRST_DISPATCHES = 16;
const MOST_DISPATCHES = 256;
const MOST_SECONDS = 0.01;

/** What a GPU of each class gets done in a second, roughly and rather too little. */
const speeds = {
  discrete: { flops: 5e12, bytes: 200e9 },
  apple: { flops: 2e12, bytes: 80e9 },
  integrated: { flops: 3e11, bytes: 15e9 },
  software: { flops: 5e9, bytes: 2e9 },
} as const satisfies Record<AdapterClass, { flops: number; bytes: number }>;

/** Estimated work. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

export class Recorder {
  readonly #gpu: GPUDevice;
  readonly #groups: BindGroups;
  readonly #scalars: UniformScalars;
  readonly #speed: { flops: number; bytes: number };
  /** While set, each dispatch is a pass of its own and is timed. */
  timer: PassTimer | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pipeline: Pipeline | undefined;
  #dispatches = 0;
  #seconds = 0;
  #room = FIRST_DISPATCHES;
  #allDispatches = 0;
  #submits = 0;

  constructor(gpu: GPUDevice, groups: BindGroups, scalars: UniformScalars, adapterClass: AdapterClass) {
    this.#gpu = gpu;
    this.#groups = groups;
    this.#scalars = scalars;
    this.#speed = speeds[adapterClass];
  }

  /** Dispatches recorded and submits made so far. */
  get counts(): { dispatches: number; submits: number } {
    return { dispatches: this.#allDispatches, submits: this.#submits };
  }

  dispatch(
    pipeline: Pipeline,
    buffers: readonly PooledBuffer[],
    scalars: Uint32Array,
    workgroups: readonly [number, number, number],
    work: Work,
  ): void {
    const slice = pipeline.scalars === 'uniform' ? this.#slice(scalars) : undefined;
    const pass = this.#begin();
    if (this.#pipeline !== pipeline) {
      pass.setPipeline(pipeline.gpu);
      this.#pipeline = pipeline;
    }
    pass.setBindGroup(0, this.#groups.get(pipeline.layout, buffers));
    if (slice !== undefined) pass.setBindGroup(1, slice.group, [slice.offset]);
    else if (pipeline.scalars === 'immediate') setImmediates(pass, scalars);
    pass.dispatchWorkgroups(...workgroups);
    this.#dispatches++;
    this.#allDispatches++;
    this.#seconds += Math.max(work.flops / this.#speed.flops, work.bytes / this.#speed.bytes);
    if (this.timer !== undefined) this.#endPass();
    if (this.#dispatches >= this.#room || this.#seconds >= MOST_SECONDS) {
      this.#submit();
      this.#room = Math.min(2 * this.#room, MOST_DISPATCHES);
    }
  }

  /** Submits what is recorded. */
  flush(): void {
    this.#submit();
    this.#room = FIRST_DISPATCHES;
  }

  #slice(scalars: Uint32Array): ScalarSlice {
    if (!this.#scalars.hasRoom(scalars.length)) this.#submit();
    return this.#scalars.add(scalars);
  }

  #begin(): GPUComputePassEncoder {
    if (this.#pass === undefined) {
      if (this.timer !== undefined && !this.timer.hasRoom) this.#submit();
      this.#encoder ??= this.#gpu.createCommandEncoder();
      this.#pass = this.#encoder.beginComputePass(this.timer?.next());
    }
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#pipeline = undefined;
  }

  #submit(): void {
    if (this.#encoder === undefined) return;
    this.#endPass();
    this.timer?.resolve(this.#encoder);
    this.#scalars.upload();
    this.#gpu.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#dispatches = 0;
    this.#seconds = 0;
    this.#submits++;
  }
}

/** Not yet among TypeScript's types. */
interface WithImmediates {
  setImmediates(offset: number, data: Uint32Array): void;
}

function setImmediates(pass: GPUComputePassEncoder, words: Uint32Array): void {
  (pass as GPUComputePassEncoder & WithImmediates).setImmediates(0, words);
}
