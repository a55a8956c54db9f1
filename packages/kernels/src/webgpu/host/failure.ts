/**
 * What goes wrong on a GPU is told late, by error scopes and events. The first failure is final: it rejects everything that waits and
 * refuses everything asked for later, because from then on what the GPU holds may be anything.
 */

import { DmpoError } from '../../errors.js';
import type { Rest } from './rest.js';

const filters = ['validation', 'out-of-memory', 'internal'] as const satisfies GPUErrorFilter[];

/** Says what an error of WebGPU means for the user. */
export type Explain = (filter: GPUErrorFilter, message: string) => DmpoError;

export class FailureMonitor {
  readonly #gpu: GPUDevice;
  readonly #rest: Rest | undefined;
  readonly #waiting = new Set<(error: DmpoError) => void>();
  /** Resolves when all error scopes that are closed have reported, one after the other: what came first is the cause of the rest. */
  #reported: Promise<void> = Promise.resolve();
  #failure: DmpoError | undefined;
  readonly #onUncapturedError = ({ error }: GPUUncapturedErrorEvent) => {
    const filter = error.constructor.name === 'GPUOutOfMemoryError' ? 'out-of-memory' : 'internal';
    this.fail(gpuFailure('it worked', filter, error.message));
  };

  /** `rest` is how to wait for a GPU that needs the processor. */
  constructor(gpu: GPUDevice, rest?: Rest) {
    this.#gpu = gpu;
    this.#rest = rest;
    gpu.addEventListener('uncapturederror', this.#onUncapturedError);
    void gpu.lost.then(({ message }) => this.fail(deviceLost(message)));
  }

  /** Only the first failure counts: others follow from it. */
  fail(error: DmpoError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const reject of this.#waiting) reject(error);
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Throws the failure, if there is one. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Does `work`, which uses the GPU. An error that WebGPU reports for it, now or later, is a failure of the device. */
  watch<Result>(explain: Explain, work: () => Result): Result {
    for (const filter of filters) this.#gpu.pushErrorScope(filter);
    try {
      return work();
    } finally {
      for (const filter of filters.toReversed()) this.#await(filter, this.#gpu.popErrorScope(), explain);
    }
  }

  /** What `work` resolves to once all that was watched before has been found to be well; rejects as soon as the device fails. */
  async guard<Result>(work: Promise<Result>): Promise<Result> {
    this.check();
    const reported = this.#reported;
    let stopWaiting = (): unknown => undefined;
    const failure = new Promise<never>((_, reject) => {
      this.#waiting.add(reject);
      stopWaiting = () => this.#waiting.delete(reject);
    });
    try {
      const done = Promise.race([Promise.all([work, reported]), failure]);
      const [result] = await (this.#rest?.during(done) ?? done);
      this.check();
      return result;
    } catch (cause) {
      if (cause instanceof DmpoError) throw cause;
      throw this.#failure ?? gpuFailure('it was waited for', 'internal', String(cause));
    } finally {
      stopWaiting();
    }
  }

  /** Fails with `error` and leaves the GPU to others. */
  close(error: DmpoError): void {
    this.fail(error);
    this.#gpu.removeEventListener('uncapturederror', this.#onUncapturedError);
  }

  #await(filter: GPUErrorFilter, scope: Promise<GPUError | null>, explain: Explain): void {
    const before = this.#reported;
    const report = async () => {
      // A lost device may refuse to report: `lost` tells.
      const error = await scope.catch(() => null);
      await before;
      if (error !== null) this.fail(explain(filter, error.message));
    };
    this.#reported = report();
  }
}

/** Explains errors of one activity, put as 'a buffer was written'. */
export function during(activity: string): Explain {
  return (filter, message) => gpuFailure(activity, filter, message);
}

function gpuFailure(activity: string, filter: GPUErrorFilter, message: string): DmpoError {
  if (filter === 'out-of-memory') {
    return new DmpoError(
      'OUT_OF_MEMORY',
      `The GPU ran out of memory while ${activity}: ${firstLine(message)}`,
      'Use smaller batches, gradient accumulation or checkpoint(). Open the device again and continue from your last checkpoint.',
    );
  }
  return new DmpoError(
    'DEVICE_FAILED',
    `The GPU reported an error while ${activity}: ${message.trim()}.`,
    'Please report this message. Open the device again and continue from your last checkpoint.',
  );
}

function deviceLost(message: string): DmpoError {
  return new DmpoError(
    'DEVICE_LOST',
    `The GPU device was lost${message ? `: ${firstLine(message)}` : '.'}`,
    'Open the device again and continue from your last checkpoint; if it is lost again, update the driver or use smaller batches.',
  );
}

function firstLine(message: string): string {
  const [line = ''] = message.trim().split('\n');
  return line.endsWith('.') ? line : `${line}.`;
}
