// Random numbers on every device: the same bits as portable/random.ts defines, at any position and under any key.
import { describe, it } from 'vitest';
import type { MapKernel } from '../kernel.js';
import type { PointwiseOp } from '../pointwise.js';
import { randomBits, randomNormal, randomUniform } from '../portable/random.js';
import { expectSameBits } from '../testing/allclose.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { runKernel } from '../testing/run-kernel.js';

const functions = { randomBits, randomUniform, randomNormal } satisfies Partial<Record<PointwiseOp, unknown>>;
const keys: [number, number][] = [
  [0, 0],
  [1, 0xffffffff],
  [0xdeadbeef, 0x12345678],
];

describe.each(deviceLabels)('random numbers on %s', (label) => {
  const device = useDevice(label);

  it.each(Object.entries(functions))(
    '%s of scalar keys and an index is the same to the bit',
    async (op, expected) => {
      const count = 20_011;
      const first = 0x7fffff00 - 0x80000000;
      const e = new ExpressionBuilder([count]);
      const counter = e.apply('toUint32', e.index(first, [1]));
      const value = e.apply(op as PointwiseOp, e.scalar(0, 'uint32'), e.scalar(1, 'uint32'), counter);
      const kernel: MapKernel = {
        kind: 'map',
        inputs: [],
        scalars: ['uint32', 'uint32'],
        shape: [count],
        expression: e.build(value),
      };
      for (const [key0, key1] of keys) {
        const [actual] = await runKernel(device(), kernel, [], [key0, key1]);
        const exact = Array.from({ length: count }, (_, i) => expected(key0, key1, (first + i) >>> 0));
        expectSameBits(actual, exact, `${op} under key ${key0}, ${key1}`);
      }
    },
  );
});
