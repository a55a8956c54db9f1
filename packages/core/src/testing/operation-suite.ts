/**
 * The tests that every operation passes. On every device: its values are those of plain arithmetic, memory filled with NaN
 * shows nowhere, and a repetition gives the same bits. On every fast device: its gradient is the reference device's. On the
 * reference device: its gradient, and the gradient's gradient, are those of finite differences.
 */

import { openDevice } from '@dmpo/kernels';
import type fc from 'fast-check';
import { describe, it } from 'vitest';
import { casesOn, devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { tensor } from '../ops/creation.js';
import { setDevice } from '../realize.js';
import type { Tensor } from '../tensor.js';
import { expectClose, expectSameBits, forAll, normals } from './data.js';
import { checkGradient, checkSecondDerivative } from './finite-differences.js';
import { leafTensor, type Operand } from './operands.js';
import { count, type PlainArray } from './plain.js';
import { numbers } from './read.js';
import { moved, roundingTolerance } from './rounding.js';

export interface OperationCase {
  readonly operands: readonly Operand[];
  readonly apply: (...operands: Tensor[]) => Tensor;
  /** The same in plain arithmetic. */
  readonly plain: (...operands: PlainArray[]) => PlainArray;
}

export interface OperationOptions {
  /** How often it can be differentiated. Default 2. */
  readonly derivatives?: 0 | 1 | 2;
  /** Random cases of the test of values, before `casesOn`; others have half as many. Default 20. */
  readonly runs?: number;
  /** Roundings that pile up in one element, for the tolerance. Default 64. */
  readonly roundings?: number;
}

const reference = await openDevice('reference', { poison: true });

/** Declares the tests of one operation over random cases. */
export function testOperation(
  name: string,
  cases: fc.Arbitrary<OperationCase>,
  { derivatives = 2, runs = 20, roundings = 64 }: OperationOptions = {},
): void {
  describe.each(devices)(`${name} on %s`, (deviceName) => {
    const device = useDevice(deviceName);
    const unit = deviceName === 'reference' ? 2 ** -50 : 2 ** -24;

    it('gives the values of plain arithmetic, and the same bits again', async () => {
      await forAll(cases, casesOn(deviceName, runs), async (one) => {
        setDevice(device());
        const run = () => numbers(result(one, leavesOf(one)));
        const actual = await run();
        expectSameBits(await run(), actual, `repetition of ${name}`);
        const expected = plainResult(one, leavesOf(one));
        const neighbours = [1, 2, 3].map((seed) => plainResult(one, moved(one.operands, unit, seed)));
        expectClose(actual, expected, roundingTolerance(expected, neighbours, unit, roundings), name);
      });
    });

    if (derivatives > 0 && deviceName !== 'reference') {
      it('has the gradient that the reference device has', async () => {
        await forAll(cases, casesOn(deviceName, Math.ceil(runs / 2)), async (one) => {
          setDevice(reference);
          const expected = await gradients(one, leavesOf(one), 0);
          const neighbours: number[][][] = [];
          for (const seed of [1, 2, 3])
            neighbours.push(await gradients(one, moved(one.operands, unit, seed), seed % 2 ? unit : -unit));
          setDevice(device());
          const actual = await gradients(one, leavesOf(one), 0);
          expected.forEach((gradient, i) => {
            const around = neighbours.map((list) => list[i]);
            const tolerance = roundingTolerance(gradient, around, unit, roundings);
            expectClose(actual[i], gradient, tolerance, `gradient ${i} of ${name}`);
          });
        });
      });
    }
  });

  const checks = [
    { order: 'first', check: checkGradient },
    { order: 'second', check: checkSecondDerivative },
  ].slice(0, derivatives);
  describe.runIf(derivatives > 0)(`derivatives of ${name}`, () => {
    const device = useDevice('reference');
    it.each(checks)('agree with finite differences: $order', async ({ check }) => {
      await forAll(cases, Math.ceil(runs / 2), async ({ operands, apply }) => {
        setDevice(device());
        await check((...inputs) => apply(...operands.map((one, i) => one.view(inputs[i]))), operands);
      });
    });
  });
}

const leavesOf = ({ operands }: OperationCase) => operands.map(({ leaf }) => leaf.data);

function result({ operands, apply }: OperationCase, leaves: readonly Float64Array[]): Tensor {
  return apply(...operands.map((one, i) => one.view(leafTensor(one, leaves[i]))));
}

function plainResult({ operands, plain }: OperationCase, leaves: readonly Float64Array[]): Float64Array {
  return plain(...operands.map((one, i) => one.plainView({ shape: one.leaf.shape, data: leaves[i] }))).data;
}

/** Gradients by every leaf of a random weighting of the result, the weights changed by a relative `change`. */
async function gradients(
  { operands, apply }: OperationCase,
  leaves: readonly Float64Array[],
  change: number,
): Promise<number[][]> {
  const inputs = operands.map((one, i) => leafTensor(one, leaves[i]));
  const value = apply(...operands.map((one, i) => one.view(inputs[i])));
  const weights = Float64Array.from(normals(99, count(value.shape)), (x) => x * (1 + change));
  const found: number[][] = [];
  for (const gradient of grad(value.mul(tensor(weights, value.shape)).sum(), inputs))
    found.push(await numbers(gradient));
  return found;
}
