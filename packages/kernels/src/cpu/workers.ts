/** What the cpu device needs of the place it runs in: threads, and what they may do. */

export interface CpuHost {
  /** Cores that this process may use. */
  readonly cores: number;
  /** Whether memory can be shared with workers. */
  readonly canShareMemory: boolean;
  /** Whether the calling thread may sleep; a page's main thread may not. */
  readonly maySleep: boolean;
  /** Switches relaxed SIMD on where the engine has it but hides it. */
  enableRelaxedSimd(): void;
  /** Starts a worker that serves as `thread`. It must not keep the process alive. */
  startWorker(start: WorkerStart): CpuWorker;
}

/** What a worker is given: the kernels, the memory, and its number. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
}

export interface CpuWorker {
  stop(): Promise<void>;
}

/**
 * JavaScript of a worker, a function of what it is given. It serves until the worker is ended; if a kernel traps, it makes
 * the other threads trap as well instead of waiting for it. Kept as text so that bundlers have no file to find.
 */
export const serveSource = `({ module, memory, thread }) => {
  const { serve, fail } = new WebAssembly.Instance(module, { env: { memory } }).exports;
  try {
    serve(thread);
  } catch (error) {
    fail();
    throw error;
  }
}`;
