/** Errors as tests see them: typed, and saying what was given and what is to be done. */

import { DmpoError } from '@dmpo/kernels';
import { expect } from 'vitest';

/** Fails unless `action` throws, or rejects with, a DmpoError of this code whose message has every one of the parts. */
export async function expectError(
  action: () => unknown,
  code: string,
  ...parts: readonly string[]
): Promise<void> {
  let error: unknown;
  try {
    await action();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, `an error ${code}`).toBeInstanceOf(DmpoError);
  const { code: actual, message, fix } = error as DmpoError;
  expect(actual, message).toBe(code);
  for (const part of parts) expect(message).toContain(part);
  expect(fix.length, 'length of the advice').toBeGreaterThan(10);
}
