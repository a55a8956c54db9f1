/** Opens the webgpu device: finds an adapter, asks it for all that helps, and says what it is. */

import type { Device, DeviceOptions } from '../device.js';
import { guessAdapterClass } from './host/adapter-class.js';
import { formatBytes } from './host/buffer-pool.js';
import { type GpuHost, unavailable } from './host/gpu.js';
import { Rest } from './host/rest.js';
import { type AdapterClass, targetOf } from './target.js';
import { parseTuning, withTuning } from './tune/tuning-file.js';
import { tuningKey } from './tune/tuning-key.js';
import { WebGpuDevice, type WebGpuSetup } from './webgpu-device.js';

/** What of `WebGpuSetup` only tests choose. */
export type WebGpuOverrides = Partial<Pick<WebGpuSetup, 'hasImmediates' | 'programs'>>;

/** Limits that kernels make use of where an adapter has more than WebGPU promises. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies (keyof GPUSupportedLimits)[];

const wantedFeatures = ['timestamp-query', 'shader-f16', 'subgroups'] as const satisfies GPUFeatureName[];

/** Opens the device on any adapter, a software one too. Throws `DEVICE_UNAVAILABLE`, saying why and what to do. */
export async function openWebGpuDevice(
  host: GpuHost,
  options: DeviceOptions = {},
  overrides: WebGpuOverrides = {},
): Promise<WebGpuDevice> {
  const gpu = await host.open();
  const adapter = options.gpuDevice ?? (await findAdapter(host, gpu));
  return openOn(host, gpu, adapter, options, overrides);
}

/** Opens the device if this machine has a GPU that is no software, and WebGPU works on it. */
export async function openRealGpu(host: GpuHost, options: DeviceOptions = {}): Promise<Device | undefined> {
  try {
    const gpu = await host.open();
    const adapter = await findAdapter(host, gpu);
    if (guessAdapterClass(adapter.info) === 'software') return undefined;
    return await openOn(host, gpu, adapter, options);
  } catch {
    return undefined;
  }
}

async function findAdapter(host: GpuHost, gpu: GPU): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw host.explainNoAdapter();
  return adapter;
}

async function openOn(
  host: GpuHost,
  gpu: GPU,
  on: GPUAdapter | GPUDevice,
  options: DeviceOptions,
  overrides: WebGpuOverrides = {},
): Promise<WebGpuDevice> {
  const isAdapter = 'requestDevice' in on;
  const info = isAdapter ? on.info : on.adapterInfo;
  const device = isAdapter ? await requestDevice(on, options.defaultLimits ?? false) : on;
  const actualClass = guessAdapterClass(info);
  const adapterClass = options.adapterClass ?? actualClass;
  const description = describe(info, device, adapterClass);
  const key = () => tuningKey(description, host.implementation, targetOf(device, adapterClass));
  const stored = await host.tuning.load();
  return new WebGpuDevice(device, {
    adapterClass,
    description,
    ...(stored === undefined ? {} : { tuned: parseTuning(stored, await key()) }),
    async saveTuning(tiles) {
      return host.tuning.save(withTuning(await host.tuning.load(), await key(), tiles));
    },
    hasImmediates: gpu.wgslLanguageFeatures.has('immediate_address_space'),
    ownsGpu: isAdapter,
    poison: options.poison ?? false,
    onCompile: options.onCompile,
    rest: host.sleep !== undefined && actualClass === 'software' ? new Rest(host.sleep) : undefined,
    ...overrides,
  });
}

async function requestDevice(adapter: GPUAdapter, defaultLimits: boolean): Promise<GPUDevice> {
  const limits = defaultLimits ? [] : wantedLimits.map((name) => [name, adapter.limits[name]] as const);
  try {
    return await adapter.requestDevice({
      label: 'dmpo',
      requiredLimits: Object.fromEntries(limits),
      requiredFeatures: wantedFeatures.filter((name) => adapter.features.has(name)),
    });
  } catch (cause) {
    throw unavailable(
      `The graphics driver gives no device (${cause instanceof Error ? cause.message.split('\n')[0] : cause}).`,
      "Update the graphics card's driver.",
      { cause },
    );
  }
}

const classText = {
  discrete: 'a graphics card',
  apple: 'Apple silicon',
  integrated: 'an integrated GPU',
  software: 'software, slower than the cpu device',
} as const satisfies Record<AdapterClass, string>;

/** One line: 'Apple M2 (apple metal-3), Apple silicon; native float16; ...'. */
function describe(info: GPUAdapterInfo, { limits, features }: GPUDevice, adapterClass: AdapterClass): string {
  const maker = [info.vendor, info.architecture].filter(Boolean).join(' ');
  const name = info.description || info.device || maker || 'unnamed adapter';
  return [
    `${name}${maker && maker !== name ? ` (${maker})` : ''}, ${classText[adapterClass]}`,
    features.has('shader-f16') ? 'native float16' : 'float16 in pairs',
    features.has('timestamp-query') ? 'timestamps' : 'no timestamps',
    `tensors up to ${formatBytes(limits.maxStorageBufferBindingSize)}`,
    `workgroups of ${limits.maxComputeInvocationsPerWorkgroup} invocations and ${formatBytes(limits.maxComputeWorkgroupStorageSize)}`,
  ].join('; ');
}
