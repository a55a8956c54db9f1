/** Where WebGPU comes from: Dawn in Node, navigator.gpu in a browser. */

import { DmpoError } from '../../errors.js';
import type { TuningStorage } from '../tune/tuning-file.js';

export interface GpuHost {
  /** Throws `DEVICE_UNAVAILABLE` where there is no WebGPU. */
  open(): Promise<GPU>;
  /** Why there may be WebGPU, but no adapter. */
  explainNoAdapter(): DmpoError;
  /** Blocks the calling thread, where that is possible and of use. */
  sleep?(milliseconds: number): void;
  /** Who implements WebGPU, and the version: 'Dawn, npm webgpu 0.6.2'. */
  readonly implementation: string;
  /** Where measured choices of tiles are kept. */
  readonly tuning: TuningStorage;
}

const otherwise = "Until then use 'cpu'.";

/** The error of an `openDevice` that cannot succeed, with what to do about it. */
export function unavailable(problem: string, remedy: string, options?: ErrorOptions): DmpoError {
  return new DmpoError('DEVICE_UNAVAILABLE', problem, `${remedy} ${otherwise}`, options);
}
