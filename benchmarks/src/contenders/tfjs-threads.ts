/**
 * Lets the WebAssembly backend of tfjs use threads in Node. Its build has them, yet it starts with one: the backend says no to
 * threads in Node, passes scripts for its workers in a way that Node refuses, and takes at most half of the logical cores.
 */

import { createRequire } from 'node:module';
import os from 'node:os';
import workerThreads, { type WorkerOptions } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const folder = '@tensorflow/tfjs-backend-wasm/wasm-out';

/** Must be called before the backend starts. */
export function unlockTfjsThreads(threads: number): void {
  const { wasmWorkerContents }: { wasmWorkerContents: string } = require(
    `${folder}/tfjs-backend-wasm-threaded-simd.worker.js`,
  );
  const workerSource = wasmWorkerContents.replace(/\n/g, '\\n');
  const module = require.resolve(`${folder}/tfjs-backend-wasm-threaded-simd.js`);

  /** Takes the script for which tfjs makes a blob address from the package, and has it load the module from there too. */
  class Worker extends workerThreads.Worker {
    constructor(address: string | URL, options?: WorkerOptions) {
      if (String(address).startsWith('blob:')) super(workerSource, { ...options, eval: true });
      else super(address, options);
    }

    override postMessage(...[message, transfer]: Parameters<workerThreads.Worker['postMessage']>): void {
      super.postMessage(message?.cmd === 'load' ? { ...message, urlOrBlob: module } : message, transfer);
    }
  }
  Object.assign(workerThreads, { Worker });

  const [core] = os.cpus();
  Object.assign(os, { cpus: () => Array(2 * threads).fill(core) });
}
