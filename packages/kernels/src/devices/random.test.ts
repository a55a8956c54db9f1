// Random numbers on every device: the same bits as portable/random.ts defines, at any position and under any key.
import { describe, it } from 'vitest';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { expectRandomBits, randomFunctions } from '../testing/random-functions.js';

describe.each(deviceLabels)('random numbers on %s', (label) => {
  const device = useDevice(label);

  it.each(randomFunctions)('%s of scalar keys and an index is the same to the bit', (op) =>
    expectRandomBits(device(), op),
  );
});
