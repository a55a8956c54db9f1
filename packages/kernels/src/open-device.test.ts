// Opening devices by name.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DeviceName } from './device.js';
import { openDevice } from './index.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

async function nameOf(name?: DeviceName): Promise<string> {
  const device = await openDevice(name, { threads: 1 });
  await device.close();
  return device.name;
}

describe('openDevice', () => {
  it('opens the device of the name', async () => {
    expect(await nameOf('cpu')).toBe('cpu');
    expect(await nameOf('reference')).toBe('reference');
  });

  it("takes the cpu for 'auto', unless DMPO_DEVICE names another", async () => {
    vi.stubEnv('DMPO_DEVICE', '');
    expect(await nameOf('auto')).toBe('cpu');
    expect(await nameOf()).toBe('cpu');
    vi.stubEnv('DMPO_DEVICE', 'reference');
    expect(await nameOf('auto')).toBe('reference');
    expect(await nameOf('cpu')).toBe('cpu');
  });

  it('says which devices there are when it has none of the name', async () => {
    await expect(openDevice('webgpu')).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      message: expect.stringContaining("'cpu'"),
    });
    vi.stubEnv('DMPO_DEVICE', 'abacus');
    await expect(openDevice('auto')).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining('abacus'),
    });
  });
});
