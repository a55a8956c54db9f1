/** WebGPU in Node: Dawn, from the npm package webgpu. */

import type { GpuHost } from './gpu.js';

export const nodeGpu: GpuHost = {
  async open(): Promise<GPU> {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([]);
  },
};
