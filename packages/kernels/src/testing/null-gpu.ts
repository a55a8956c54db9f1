/** Dawn's null backend: it checks everything, compiles shaders, and computes nothing. It has 512 MiB of memory on any machine. */

import { create } from 'webgpu';

// Dawn crashes if this is collected before its devices.
let gpu: GPU | undefined;

/** A device with WebGPU's default limits and these features. */
export async function nullGpuDevice(requiredFeatures: GPUFeatureName[] = []): Promise<GPUDevice> {
  gpu ??= create(['backend=null']);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('Dawn has no null backend.');
  return adapter.requestDevice({ requiredFeatures });
}
