/** TensorFlow.js on its WebGPU backend, in Node. */

import * as tf from '@tensorflow/tfjs-core';
import type { Contender } from '../contender.js';
import { packageVersion } from '../package-version.js';
import { installNavigatorGpu } from './node-navigator.js';
import { loadGradients, prepareTfjs } from './tfjs-workloads.js';

export async function open(): Promise<Contender> {
  const adapter = await installNavigatorGpu();
  // It looks for navigator.gpu when it is loaded.
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  loadGradients();
  const started = await tf.setBackend('webgpu');
  const backend = tf.backend();
  if (!started || !(backend instanceof WebGPUBackend)) throw new Error('The WebGPU backend did not start.');
  return {
    description: {
      library: `tfjs ${packageVersion('@tensorflow/tfjs-core')}`,
      details: `WebGPU backend on ${adapter}`,
      threads: 1,
    },
    prepare: prepareTfjs({
      finish() {
        // It gathers dispatches and submits them once there are fifteen.
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.submitQueue();
        return backend.queue.onSubmittedWorkDone().then(() => {});
      },
      hasFilterGradient: true,
    }),
  };
}
