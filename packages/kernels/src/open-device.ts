/** Opening devices by name. Each entry says how its runtime starts the CPU device. */

import type { Device, DeviceName, DeviceOptions } from './device.js';
import { DmpoError } from './errors.js';
import { ReferenceDevice } from './reference/reference-device.js';

export async function openDevice(name: DeviceName = 'auto', options: DeviceOptions = {}): Promise<Device> {
  switch (name) {
    case 'reference':
      return new ReferenceDevice(options);
    case 'auto':
    case 'cpu':
    case 'webgpu':
    case 'gpujs':
      throw new DmpoError('DEVICE_UNAVAILABLE', `This version has no ${name} device.`, "Use 'reference'.");
    default:
      return name satisfies never;
  }
}
