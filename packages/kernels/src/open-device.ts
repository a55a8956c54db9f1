/** Opens a device by name. Each entry of the package says how its surroundings start threads. */

import { openCpuDevice } from './cpu/cpu-device.js';
import type { CpuHost } from './cpu/workers.js';
import type { Device, DeviceOptions } from './device.js';
import { DmpoError } from './errors.js';
import { ReferenceDevice } from './reference/reference-device.js';
import type { GpuHost } from './webgpu/host/gpu.js';
import { openRealGpu, openWebGpuDevice } from './webgpu/open-webgpu.js';

/** What a device needs of the surroundings that the program runs in. */
export interface Hosts {
  readonly cpu: CpuHost;
  readonly gpu: GpuHost;
}

/** `name` is a `DeviceName` or what a user wrote in its place. Throws `DEVICE_UNAVAILABLE`, saying what can be used instead. */
export async function openNamedDevice(hosts: Hosts, name: string, options: DeviceOptions): Promise<Device> {
  switch (name) {
    case 'auto':
      // A software GPU is slower than the cpu device.
      return (await openRealGpu(hosts.gpu, options)) ?? openCpuOrGpuJs(hosts.cpu, options);
    case 'cpu':
      return openCpuDevice(hosts.cpu, options);
    case 'reference':
      return new ReferenceDevice(options);
    case 'webgpu':
      return openWebGpuDevice(hosts.gpu, options);
    case 'gpujs':
      return openGpuJs(options);
    default:
      throw new DmpoError(
        'DEVICE_UNAVAILABLE',
        `There is no device named '${name}'.`,
        "Use 'auto', 'webgpu', 'cpu', 'gpujs' or 'reference'; DMPO_DEVICE must be one of these too.",
      );
  }
}

/** gpu.js, where it is installed, computes without the WebAssembly that the cpu device needs. */
async function openCpuOrGpuJs(host: CpuHost, options: DeviceOptions): Promise<Device> {
  try {
    return await openCpuDevice(host, options);
  } catch (error) {
    if (!(error instanceof DmpoError) || error.code !== 'DEVICE_UNAVAILABLE') throw error;
    return openGpuJs(options).catch(() => {
      throw error;
    });
  }
}

/** A module of its own for bundlers, which most programs never load. */
async function openGpuJs(options: DeviceOptions): Promise<Device> {
  const { openGpuJsDevice } = await import('./gpujs/gpujs-device.js');
  return openGpuJsDevice(options);
}
