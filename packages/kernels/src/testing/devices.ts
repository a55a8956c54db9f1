/** The devices that every kernel test runs on. A new device inherits the tests by an entry here. */

import { afterAll, beforeAll, expect } from 'vitest';
import type { Device } from '../device.js';
import { openDevice } from '../index.js';

/** The programs for graphics cards, which a software GPU runs as well: for tests of kernels that have programs of their own there. */
export const graphicsCard = 'webgpu with the programs of a graphics card';

const openers: Record<string, () => Promise<Device>> = {
  cpu: () => openDevice('cpu', { poison: true }),
  'cpu with one thread and plain SIMD': () =>
    openDevice('cpu', { threads: 1, relaxedSimd: false, poison: true }),
  webgpu: () => openDevice('webgpu', { defaultLimits: true, poison: true }),
  [graphicsCard]: () => openDevice('webgpu', { adapterClass: 'discrete', poison: true }),
  gpujs: () => openDevice('gpujs', { poison: true }),
  'gpujs on the CPU': () => openDevice('gpujs', { gpujsMode: 'cpu', poison: true }),
  reference: () => openDevice('reference', { poison: true }),
};

/** Every device but the reference, for tests that compare with it. */
export const deviceLabels: readonly string[] = Object.keys(openers).filter(
  (label) => label !== 'reference' && label !== graphicsCard,
);

/** Every case compiles programs of its own on webgpu, and those for graphics cards run slowly on a software GPU. */
const shareOfCases: Readonly<Record<string, number>> = { webgpu: 1 / 2, [graphicsCard]: 1 / 6 };

/** On how many of `count` random cases a device is tested. */
export const casesOn = (label: string, count: number): number =>
  Math.ceil(count * (shareOfCases[label] ?? 1));

/** Opens a device with poisoned memory around the tests of a `describe`; nothing may be left allocated after them. */
export function useDevice(label: string): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openers[label]();
  });
  afterAll(async () => {
    expect(device?.memory().buffers, 'buffers left allocated').toBe(0);
    await device?.close();
  });
  return () => {
    if (device === undefined) throw new Error('The device is open only while tests run.');
    return device;
  };
}
