/** Kernels and the devices that run them: the entry for Node. */

import { nodeHost } from './cpu/workers.node.js';
import type { Device, DeviceName, DeviceOptions } from './device.js';
import { openNamedDevice } from './open-device.js';
import { nodeGpu } from './webgpu/host/gpu.node.js';

export * from './contract.js';

/**
 * Opens a device. 'auto' takes the one that the environment variable DMPO_DEVICE names, otherwise the fastest there is.
 * Throws `DEVICE_UNAVAILABLE`, saying why and what can be used instead.
 */
export async function openDevice(name: DeviceName = 'auto', options: DeviceOptions = {}): Promise<Device> {
  const preferred = process.env.DMPO_DEVICE || 'auto';
  return openNamedDevice({ cpu: nodeHost, gpu: nodeGpu }, name === 'auto' ? preferred : name, options);
}
