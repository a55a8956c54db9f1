/** WebGPU in browsers. */

import { DmpoError } from '../errors.js';
import type { GpuHost } from './gpu.js';

export const browserGpu: GpuHost = {
  async open(): Promise<GPU> {
    if (navigator.gpu === undefined)
      throw new DmpoError('DEVICE_UNAVAILABLE', 'This browser has no WebGPU.', "Use 'cpu'.");
    return navigator.gpu;
  },
};
