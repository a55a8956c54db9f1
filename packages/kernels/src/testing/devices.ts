/** The devices that every kernel test runs on. A new device inherits the tests by adding its name here. */

import { afterAll, beforeAll, expect } from 'vitest';
import type { Device, DeviceName } from '../device.js';
import { openDevice } from '../index.js';

export const deviceNames: readonly DeviceName[] = ['cpu'];

/** Opens a device with poisoned memory around the tests of a `describe`; nothing may be left allocated after them. */
export function useDevice(name: DeviceName): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice(name, { poison: true });
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
