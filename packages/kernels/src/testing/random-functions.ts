/** The random functions at any position and under any key, against the bits that portable/random.ts defines. */

import type { Device } from '../device.js';
import type { MapKernel } from '../kernel.js';
import type { PointwiseOp } from '../pointwise.js';
import { randomBits, randomNormal, randomUniform } from '../portable/random.js';
import { expectSameBits } from './allclose.js';
import { ExpressionBuilder } from './expression-builder.js';
import { runKernel } from './run-kernel.js';

const functions = { randomBits, randomUniform, randomNormal } satisfies Partial<Record<PointwiseOp, unknown>>;
export type RandomFunction = keyof typeof functions;
export const randomFunctions = Object.keys(functions) as RandomFunction[];

const keys: [number, number][] = [
  [0, 0],
  [1, 0xffffffff],
  [0xdeadbeef, 0x12345678],
];

/** Fails unless the device gives the same bits, of counters on both sides of 2^31. */
export async function expectRandomBits(device: Device, op: RandomFunction): Promise<void> {
  const count = 20_011;
  const first = 0x7fffff00 - 0x80000000;
  const e = new ExpressionBuilder([count]);
  const counter = e.apply('toUint32', e.index(first, [1]));
  const value = e.apply(op, e.scalar(0, 'uint32'), e.scalar(1, 'uint32'), counter);
  const kernel: MapKernel = {
    kind: 'map',
    inputs: [],
    scalars: ['uint32', 'uint32'],
    shape: [count],
    expression: e.build(value),
  };
  for (const [key0, key1] of keys) {
    const [actual] = await runKernel(device, kernel, [], [key0, key1]);
    const exact = Array.from({ length: count }, (_, i) => functions[op](key0, key1, (first + i) >>> 0));
    expectSameBits(actual, exact, `${op} under key ${key0}, ${key1}`);
  }
}
