// Device memory is freed once, by its owner or by garbage collection, also when its device is gone before it.
import { openDevice } from '@dmpo/kernels';
import { describe, expect, it } from 'vitest';
import { devices } from '../../../test/devices.js';
import { collectGarbage, expectNoLeak } from '../../../test/memory.js';
import { Storage } from './storage.js';

describe.each(devices)('storage on %s', (deviceName) => {
  it('is freed once', async () => {
    const device = await openDevice(deviceName);
    const storage = new Storage(device, [3], 'float32');
    expect(device.memory()).toMatchObject({ buffers: 1, bytes: 12 });
    storage.free();
    storage.free();
    expect(storage.freed).toBe(true);
    expect(device.memory()).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });

  it('is freed when nobody holds it any more', async () => {
    const device = await openDevice(deviceName);
    const forget = () => void new Storage(device, [1000], 'float32');
    forget();
    expect(device.memory().buffers).toBe(1);
    await expectNoLeak(device);
    await device.close();
  });

  it('may be forgotten after its device was closed', async () => {
    const device = await openDevice(deviceName);
    const held = new WeakRef(new Storage(device, [1000], 'float32'));
    await device.close();
    // A failure inside the collector's callback would end the process.
    for (let i = 0; i < 5; i++) await collectGarbage();
    expect(held.deref()).toBeUndefined();
  });
});
