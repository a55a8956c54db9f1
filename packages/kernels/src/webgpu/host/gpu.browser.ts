/** WebGPU in browsers. */

import { browserTuning } from '../tune/tuning-storage.browser.js';
import { type GpuHost, unavailable } from './gpu.js';

export const browserGpu: GpuHost = {
  async open(): Promise<GPU> {
    // Typed as always there, which it is not.
    const gpu: GPU | undefined = navigator.gpu;
    if (gpu !== undefined) return gpu;
    if (!globalThis.isSecureContext)
      throw unavailable(
        'Browsers give WebGPU only to secure pages, and this one is not.',
        'Serve the page by https, or from localhost.',
      );
    throw unavailable(
      'This browser has no WebGPU.',
      'Use Chrome or Edge 113, Safari 26, Firefox 141 or later; on Linux, Chrome may need --enable-unsafe-webgpu.',
    );
  },

  implementation: globalThis.navigator?.userAgent ?? 'no browser',
  tuning: browserTuning,

  explainNoAdapter() {
    return unavailable(
      'The browser has WebGPU, but no adapter for it.',
      "Turn on hardware acceleration in the browser's settings and update the graphics driver; chrome://gpu says what is blocked.",
    );
  },
};
