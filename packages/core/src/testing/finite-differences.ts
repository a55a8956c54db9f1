/** Derivatives checked by central differences in float64, on the reference device. */

import { grad } from '../grad.js';
import { tensor } from '../ops/creation.js';
import type { Tensor } from '../tensor.js';
import { expectClose, normals } from './data.js';
import { leafTensor, type Operand } from './operands.js';
import { count } from './plain.js';
import { numbers } from './read.js';

type Apply = (...leaves: Tensor[]) => Tensor;

/** Distance of the two points of a difference: the error is of the order of its square. */
const STEP = 2 ** -16;
const TOLERANCE = 1e-6;

/** Compares the gradient of a random weighting of `apply`'s result with differences along random directions. */
export async function checkGradient(apply: Apply, operands: readonly Operand[]): Promise<void> {
  const start = operands.map(({ leaf }) => leaf.data);
  const inputs = operands.map((one) => leafTensor(one));
  const gradients = grad(weighted(apply(...inputs)), inputs);
  const found: number[][] = [];
  for (const gradient of gradients) found.push(await numbers(gradient));
  const value = async (leaves: readonly Float64Array[]) => {
    const [loss] = await numbers(weighted(apply(...operands.map((one, i) => leafTensor(one, leaves[i])))));
    return loss;
  };

  for (const direction of directions(operands)) {
    const forward = await value(shifted(start, direction, STEP));
    const backward = await value(shifted(start, direction, -STEP));
    const expected = (forward - backward) / (2 * STEP);
    const actual = found.reduce(
      (sum, gradient, i) => sum + gradient.reduce((part, g, j) => part + g * direction[i][j], 0),
      0,
    );
    expectClose([actual], [expected], () => TOLERANCE * (1 + Math.abs(expected)), 'slope');
  }
}

/** Compares the Hessian's product with a random direction, differentiated twice, with differences of the gradient. */
export async function checkSecondDerivative(apply: Apply, operands: readonly Operand[]): Promise<void> {
  const start = operands.map(({ leaf }) => leaf.data);
  const gradientAt = (leaves: readonly Float64Array[]) => {
    const inputs = operands.map((one, i) => leafTensor(one, leaves[i]));
    return { inputs, gradients: grad(weighted(apply(...inputs)), inputs) };
  };
  const read = async (tensors: readonly Tensor[]) => {
    const lists: number[][] = [];
    for (const one of tensors) lists.push(await numbers(one));
    return lists.flat();
  };

  const [direction] = directions(operands);
  const { inputs, gradients } = gradientAt(start);
  const along = gradients
    .map((gradient, i) => gradient.mul(tensor(direction[i], gradient.shape)).sum())
    .reduce((sum, part) => sum.add(part));
  const actual = await read(grad(along, inputs));
  const forward = await read(gradientAt(shifted(start, direction, STEP)).gradients);
  const backward = await read(gradientAt(shifted(start, direction, -STEP)).gradients);
  const expected = forward.map((value, i) => (value - backward[i]) / (2 * STEP));
  const scale = 1 + Math.max(...expected.map(Math.abs));
  expectClose(actual, expected, () => TOLERANCE * scale, 'product with the Hessian');
}

/** A random weighting makes an operation stand in the middle of a graph: its incoming gradient is nothing special. */
function weighted(result: Tensor): Tensor {
  return result.mul(tensor(normals(77, count(result.shape)), result.shape)).sum();
}

/** Random directions through all float leaves together. Integers do not move. */
function directions(operands: readonly Operand[]): Float64Array[][] {
  return [1, 2, 3].map((seed) =>
    operands.map(({ leaf, dtype }, i) => {
      const components = Float64Array.from(normals(1000 * seed + i, leaf.data.length));
      return dtype === 'float32' ? components : components.fill(0);
    }),
  );
}

function shifted(
  start: readonly Float64Array[],
  direction: readonly Float64Array[],
  distance: number,
): Float64Array[] {
  return start.map((leaf, i) => leaf.map((x, j) => x + distance * direction[i][j]));
}
