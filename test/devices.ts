// The devices that every device-parameterised test runs on. A new device joins all of them by joining this list.
import { type Device, openDevice } from '@dmpo/core';
import { afterAll, beforeAll } from 'vitest';

export const devices = ['reference', 'cpu'] as const;

export type TestDevice = (typeof devices)[number];

/** Opens a device for the tests of the enclosing `describe` and closes it after them. */
export function useDevice(name: TestDevice): void {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice(name);
  });
  afterAll(() => device?.close());
}
