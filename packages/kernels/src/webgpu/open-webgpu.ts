/** Opens the webgpu device. */

import type { Device, DeviceOptions } from '../device.js';
import { DmpoError } from '../errors.js';
import type { GpuHost } from './gpu.js';
import { WebGpuDevice } from './webgpu-device.js';

export async function openWebGpuDevice(host: GpuHost, options: DeviceOptions): Promise<Device> {
  const gpu = await host.open();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new DmpoError('DEVICE_UNAVAILABLE', 'WebGPU has no adapter.', "Use 'cpu'.");
  return new WebGpuDevice(await adapter.requestDevice(), options);
}
