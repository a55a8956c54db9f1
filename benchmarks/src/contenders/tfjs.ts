/** TensorFlow.js on its WebAssembly backend. The variant "threads" gives it the threads that it does not take in Node by itself. */

import { getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import type { Contender } from '../contender.js';
import { packageVersion } from '../package-version.js';
import type { ContenderOptions } from '../serve.js';
import { unlockTfjsThreads } from './tfjs-threads.js';
import { loadGradients, prepareTfjs } from './tfjs-workloads.js';

export async function open({ threads, variant }: ContenderOptions): Promise<Contender> {
  if (variant === 'threads') {
    unlockTfjsThreads(threads);
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', true);
    setThreadsCount(threads);
  }
  loadGradients();
  if (!(await tf.setBackend('wasm'))) throw new Error('The WebAssembly backend did not start.');
  return {
    description: {
      library: `tfjs ${packageVersion('@tensorflow/tfjs-core')}`,
      details:
        variant === 'threads'
          ? 'WebAssembly backend with SIMD, its thread pool enabled by force'
          : 'WebAssembly backend with SIMD, as it starts in Node',
      threads: variant === 'threads' ? getThreadsCount() : 1,
    },
    // It computes in the calling thread.
    prepare: prepareTfjs({ finish() {}, hasFilterGradient: false }),
  };
}
