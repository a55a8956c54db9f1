// The leak assertion: device memory whose owners are gone is given back.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Device } from '@dmpo/core';
import { expect } from 'vitest';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage. Memory of what was collected is given back by a task of its own, which has run as well. */
export async function collectGarbage(): Promise<void> {
  gc();
  await setImmediate();
}

/** Buffers that are still allocated after garbage is collected, or `enough` as soon as no more than that are. */
export async function liveBuffers(device: Device, enough = 0): Promise<number> {
  for (let attempt = 0; attempt < 20 && device.memory().buffers > enough; attempt++) await collectGarbage();
  return device.memory().buffers;
}

/** Fails unless the device holds no more buffers than before, once garbage is collected. */
export async function expectNoLeak(device: Device, before = 0): Promise<void> {
  expect(await liveBuffers(device, before), 'buffers that nobody owns').toBeLessThanOrEqual(before);
}
