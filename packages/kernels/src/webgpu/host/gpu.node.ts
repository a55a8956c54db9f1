/** WebGPU in Node: Dawn, from the npm package webgpu. */

import { createRequire } from 'node:module';
import type { DmpoError } from '../../errors.js';
import { nodeTuning } from '../tune/tuning-storage.node.js';
import { type GpuHost, unavailable } from './gpu.js';
import { findVulkan, type VulkanReport } from './vulkan.js';

/** float16 is off on NVIDIA and timestamps are coarse unless they are asked for. */
const dawnOptions = [
  'enable-dawn-features=vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
];

let opened: Promise<GPU> | undefined;

/** Nobody wakes who waits for this. */
const never = new Int32Array(new SharedArrayBuffer(4));

export const nodeGpu: GpuHost = {
  async open(): Promise<GPU> {
    const obstacle = process.platform === 'linux' ? explainVulkan(findVulkan(process.env)) : undefined;
    if (obstacle !== undefined) throw obstacle;
    opened ??= loadDawn();
    return opened;
  },

  // Asked for when tiles are stored or looked up, not by everybody who imports the package.
  get implementation() {
    return dawnVersion();
  },
  tuning: nodeTuning,

  explainNoAdapter() {
    return process.platform === 'linux'
      ? unavailable(
          'Vulkan is installed, but finds no graphics processor that WebGPU can use.',
          'Install the driver of your graphics card (`vulkaninfo --summary` lists what Vulkan sees); in a container, pass the device in.',
        )
      : unavailable('WebGPU finds no graphics processor.', "Update the graphics card's driver.");
  },

  sleep(milliseconds) {
    Atomics.wait(never, 0, 0, milliseconds);
  },
};

/** The package may be missing, or bundled. */
function dawnVersion(): string {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json');
    return `Dawn, npm webgpu ${version}`;
  } catch {
    return 'Dawn';
  }
}

async function loadDawn(): Promise<GPU> {
  try {
    const { create } = await import('webgpu');
    return create(dawnOptions);
  } catch (error) {
    opened = undefined;
    throw explainLoadFailure(error);
  }
}

/** Why the package webgpu could not be loaded. */
export function explainLoadFailure(error: unknown): DmpoError {
  const message = error instanceof Error ? error.message : String(error);
  const [line] = message.split('\n');
  if (/GLIBC(XX)?_|CXXABI_/.test(message))
    return unavailable(
      `The C++ library of this system is too old for WebGPU (${line}).`,
      'Use a newer system (Debian 13, Ubuntu 24.04 or later), or install a newer libstdc++6.',
      { cause: error },
    );
  if (/dawn\.node/.test(message) && /Cannot find|no such file/i.test(message))
    return unavailable(
      `The npm package webgpu has no build for ${process.platform} ${process.arch}.`,
      'It has builds for Linux and Windows on x64 and arm64, and for macOS.',
      { cause: error },
    );
  if (/Cannot find (package|module)/.test(message))
    return unavailable('The npm package webgpu is not installed.', 'Run `npm install webgpu`.', {
      cause: error,
    });
  return unavailable(
    `The npm package webgpu does not load (${line}).`,
    'Run `npm rebuild webgpu`, or install the library that the message names.',
    { cause: error },
  );
}

/** Why Vulkan, without which there is no WebGPU on Linux, cannot work; undefined if it may. */
export function explainVulkan(report: VulkanReport): DmpoError | undefined {
  switch (report) {
    case 'no loader':
      return unavailable(
        'WebGPU needs Vulkan, and this system has no Vulkan loader (libvulkan.so.1).',
        "Install it (Debian, Ubuntu: `apt install libvulkan1`) and the graphics card's driver.",
      );
    case 'no driver':
      return unavailable(
        'WebGPU needs Vulkan, and this system has no Vulkan driver.',
        "Install NVIDIA's driver, or for AMD and Intel Mesa's (Debian, Ubuntu: `apt install mesa-vulkan-drivers`).",
      );
    case 'present':
      return undefined;
    default:
      return report satisfies never;
  }
}
