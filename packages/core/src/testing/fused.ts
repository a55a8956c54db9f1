/** A fused operation compared with the composition of primitives that it stands for. */

import type { Device } from '@dmpo/kernels';
import type fc from 'fast-check';
import { grad } from '../grad.js';
import { tensor } from '../ops/creation.js';
import { setDevice } from '../realize.js';
import type { Tensor } from '../tensor.js';
import { expectClose, forAll, normals } from './data.js';
import { leafTensor, type Operand } from './operands.js';
import { count } from './plain.js';
import { numbers } from './read.js';

type Operation = (...operands: Tensor[]) => Tensor;

export interface FusedCase {
  readonly operands: readonly Operand[];
  readonly fused: Operation;
  readonly composed: Operation;
}

/** Compares values, gradients and gradients of gradients on random cases. */
export async function expectAgreement(device: Device, cases: fc.Arbitrary<FusedCase>): Promise<void> {
  const tolerance = device.name === 'reference' ? 1e-9 : 2e-4;
  await forAll(cases, 20, async ({ operands, fused, composed }) => {
    setDevice(device);
    const expected = await derivatives(operands, composed);
    const actual = await derivatives(operands, fused);
    expected.forEach((values, order) => {
      const size = Math.max(1, ...values.map(Math.abs));
      expectClose(actual[order], values, () => tolerance * size, `derivative of order ${order}`);
    });
  });
}

/** The value, the gradient of a weighted sum of it, and the gradient of a weighted sum of that. */
async function derivatives(operands: readonly Operand[], apply: Operation): Promise<number[][]> {
  const inputs = operands.map((one) => leafTensor(one));
  const value = apply(...operands.map((one, i) => one.view(inputs[i])));
  const first = grad(weighted([value]), inputs);
  const second = grad(weighted(first), inputs);
  const orders: number[][] = [];
  for (const tensors of [[value], first, second]) {
    const lists: number[][] = [];
    for (const one of tensors) lists.push(await numbers(one));
    orders.push(lists.flat());
  }
  return orders;
}

function weighted(tensors: readonly Tensor[]): Tensor {
  return tensors
    .map((x, i) => x.mul(tensor(normals(50 + i, count(x.shape)), x.shape)).sum())
    .reduce((sum, part) => sum.add(part));
}
