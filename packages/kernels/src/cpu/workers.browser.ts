/** Threads in a browser: dedicated workers, where the page is cross-origin isolated. */

import { type CpuHost, serveSource } from './workers.js';

export const browserHost: CpuHost = {
  cores: globalThis.navigator?.hardwareConcurrency ?? 1,
  canShareMemory: globalThis.crossOriginIsolated === true && typeof Worker === 'function',
  maySleep: typeof document === 'undefined',
  enableRelaxedSimd() {},
  startWorker(start) {
    const source = `onmessage = ({ data }) => (${serveSource})(data)`;
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const worker = new Worker(url);
    worker.postMessage(start);
    return {
      async stop() {
        worker.terminate();
        URL.revokeObjectURL(url);
      },
    };
  },
};
