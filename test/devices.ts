// The devices that every device-parameterised test runs on. A new device joins all of them by joining this list.
import { type Device, openDevice } from '@dmpo/core';
import { afterAll, beforeAll } from 'vitest';
import { expectNoLeak } from './memory.js';

export const devices = ['reference', 'cpu', 'webgpu', 'gpujs'] as const;

export type TestDevice = (typeof devices)[number];

/** On how many of `count` random cases a device is tested: on webgpu, every case compiles programs of its own. */
export const casesOn = (name: TestDevice, count: number): number =>
  name === 'webgpu' ? Math.ceil(count / 2) : count;

/**
 * Opens a device, its memory filled with NaN unless the tests are long, for the tests of the enclosing `describe`. After them nothing
 * may be left allocated, and the device is closed.
 */
export function useDevice(name: TestDevice, { poison } = { poison: true }): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice(name, { poison });
  });
  afterAll(async () => {
    if (!device) return;
    await expectNoLeak(device);
    await device.close();
  });
  return () => {
    if (!device) throw new Error('The device is open only while tests run.');
    return device;
  };
}
