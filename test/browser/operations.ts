/** An operation for every kind of kernel, which pages compute on the devices that browsers have. */

import {
  attention,
  conv2d,
  type DeviceName,
  embedding,
  Generator,
  groupNorm,
  layerNorm,
  openDevice,
  type Tensor,
  tensor,
  valueAndGrad,
  where,
} from '@dmpo/core';

interface Operation {
  readonly shapes: readonly (readonly number[])[];
  apply(...operands: readonly Tensor[]): Tensor;
}

const operation = (shapes: Operation['shapes'], apply: (...operands: Tensor[]) => Tensor): Operation => ({
  shapes,
  apply: (...operands) => apply(...operands),
});

/** Every kind of kernel. */
const operations: Readonly<Record<string, Operation>> = {
  'a pointwise chain': operation([[3, 5], [5]], (x, y) =>
    x.mul(y).tanh().add(x.sigmoid()).sub(y.abs().sqrt()),
  ),
  'a choice by comparison': operation(
    [
      [4, 6],
      [4, 6],
    ],
    (x, y) => where(x.lt(y).logicalAnd(y.lt(1)).logicalOr(y.ge(-1).logicalNot()), x.exp(), y.neg()),
  ),
  'more operands than OpenGL has textures': operation(new Array(20).fill([6]), (...operands) =>
    operands.reduce((total, operand) => total.mul(0.5).add(operand)),
  ),
  'padded and transposed views': operation([[5, 7]], (x) =>
    x
      .permute(1, 0)
      .pad([
        [1, 2],
        [0, 1],
      ])
      .mul(2),
  ),
  'functions that OpenGL has only roughly': operation([[40]], (x) =>
    x.mul(100).sin().add(x.abs().log1p()).add(x.erf()).add(x.pow(3)),
  ),
  'a sum and a maximum': operation([[6, 50]], (x) =>
    x
      .square()
      .sum([1])
      .add(x.max([1])),
  ),
  'a matrix product': operation(
    [
      [2, 9, 17],
      [17, 11],
    ],
    (x, y) => x.matmul(y).add(1).relu(),
  ),
  'a convolution with stride': operation(
    [
      [2, 7, 6, 5],
      [4, 3, 3, 5],
    ],
    (x, w) => conv2d(x, w, { stride: 2, padding: 1 }).silu(),
  ),
  attention: operation(
    [
      [2, 9, 2, 8],
      [2, 7, 2, 8],
      [2, 7, 2, 8],
    ],
    (q, k, v) => attention(q, k, v),
  ),
  'group norm': operation([[2, 3, 3, 8], [8], [8]], (x, scale, shift) =>
    groupNorm(x, scale, shift, { groups: 2, activation: 'silu' }),
  ),
  'layer norm': operation([[5, 12], [12], [12]], (x, scale, shift) => layerNorm(x, scale, shift)),
  softmax: operation([[4, 33]], (x) => x.softmax()),
  'rows of a table': operation([[5, 6]], (table) => embedding(table, tensor(Int32Array.of(3, 0, 3), [3]))),
  'random numbers': operation([[50]], (x) => x.add(new Generator(7).normal([50]))),
};

export const operationNames = Object.keys(operations);

/** How far the operation's result and gradients lie from float64, relative to the largest number of each. */
export async function operationError(name: string, device: DeviceName): Promise<number> {
  const expected = await outcome(name, 'reference');
  const actual = await outcome(name, device);
  return Math.max(...expected.map((numbers, i) => relativeError(actual[i] ?? [], numbers)));
}

/** The result and, of the sum of its squares, the gradients. */
async function outcome(name: string, deviceName: DeviceName): Promise<(readonly number[])[]> {
  const { shapes, apply } = operations[name] as Operation;
  const device = await openDevice(deviceName);
  const operands = shapes.map((shape, i) => tensor(numbers(shape, i), shape));
  let result: Tensor | undefined;
  const { grads } = valueAndGrad(() => {
    result = apply(...operands);
    return result.square().sum();
  }, operands);
  const found = [];
  for (const one of [result as Tensor, ...grads]) found.push(Array.from(await one.data()));
  await device.close();
  return found;
}

function numbers(shape: readonly number[], seed: number): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, (_, i) => 1.5 * Math.sin(7.3 * i + 3.1 * seed + 1));
}

function relativeError(actual: readonly number[], expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)))) / largest;
}
