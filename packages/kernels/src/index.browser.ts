/** Kernels and the devices that run them: the entry for browsers. */

import { browserHost } from './cpu/workers.browser.js';
import type { Device, DeviceName, DeviceOptions } from './device.js';
import { openNamedDevice } from './open-device.js';
import { browserGpu } from './webgpu/host/gpu.browser.js';

export * from './contract.js';

/**
 * Opens a device. 'auto' takes the fastest there is. Throws `DEVICE_UNAVAILABLE`, saying why and what can be used instead.
 */
export async function openDevice(name: DeviceName = 'auto', options: DeviceOptions = {}): Promise<Device> {
  return openNamedDevice({ cpu: browserHost, gpu: browserGpu }, name, options);
}
