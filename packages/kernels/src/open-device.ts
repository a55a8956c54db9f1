/** Opens a device by name. Each entry of the package passes what its surroundings provide. */

import { openCpuDevice } from './cpu/cpu-device.js';
import type { CpuHost } from './cpu/workers.js';
import type { Device, DeviceName, DeviceOptions } from './device.js';
import { DmpoError } from './errors.js';
import { ReferenceDevice } from './reference/reference-device.js';

export type OpenDevice = (name?: DeviceName, options?: DeviceOptions) => Promise<Device>;

/** `preferred` is the name that takes the place of 'auto', if the user has one. */
export function deviceOpener(host: CpuHost, preferred: () => string | undefined): OpenDevice {
  return async (name = 'auto', options = {}) => {
    const resolved = name === 'auto' ? (preferred() ?? 'auto') : name;
    switch (resolved) {
      case 'auto':
      case 'cpu':
        return openCpuDevice(host, options);
      case 'reference':
        return new ReferenceDevice(options);
      case 'webgpu':
      case 'gpujs':
        throw new DmpoError(
          'DEVICE_UNAVAILABLE',
          `This version has no '${resolved}' device.`,
          "Use 'cpu', or 'reference' to check results in float64.",
        );
      default:
        throw new DmpoError(
          'DEVICE_UNAVAILABLE',
          `There is no device named '${resolved}'.`,
          "Use 'auto', 'cpu' or 'reference'; DMPO_DEVICE must be one of these too.",
        );
    }
  };
}
