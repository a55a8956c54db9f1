/** Threads in Node: worker_threads. */

import * as os from 'node:os';
import * as v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type CpuHost, serveSource } from './workers.js';

export const nodeHost: CpuHost = {
  cores: os.availableParallelism(),
  canShareMemory: true,
  maySleep: true,
  enableRelaxedSimd() {
    // Node 20 has relaxed SIMD behind a flag. Node 21 and later have it always, and no longer know the flag.
    if (process.versions.node.startsWith('20.')) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  },
  startWorker(start) {
    const source = `(${serveSource})(require('node:worker_threads').workerData)`;
    const worker = new Worker(source, { eval: true, workerData: start, stdin: false });
    worker.unref();
    // A kernel's failure reaches the caller through the memory; without a listener it would end the process.
    worker.on('error', () => {});
    return {
      async stop() {
        await worker.terminate();
      },
    };
  },
};
