/** Random expression graphs of every kind of node, with shared subexpressions and values of moderate size. */

import { tensor } from '../ops/creation.js';
import { layerNorm } from '../ops/layer-norm.js';
import { concat } from '../ops/movement.js';
import { where } from '../ops/pointwise.js';
import type { Tensor } from '../tensor.js';
import { Choices, normals } from './data.js';
import { count } from './plain.js';

const MAXIMUM_ELEMENTS = 150;

/**
 * Builds `size` nodes, each from earlier ones, the choices made by the seed alone. `visit` sees every tensor as it is made and
 * what it returns stands in its place: the same tensor, or one that was realized.
 */
export function randomGraph(
  seed: number,
  size: number,
  visit: (made: Tensor) => Tensor = (made) => made,
): Tensor[] {
  const choices = new Choices(seed);
  const pool: Tensor[] = [];
  for (const shape of [[3, 4], [4], [2, 3, 4]])
    pool.push(visit(tensor(normals(seed + pool.length, count(shape)), shape)));
  const kinds = Object.values(steps);
  while (pool.length < size) {
    // Recent nodes more often than old ones, so that graphs grow deep.
    const recent = pool.slice(-4);
    const x = choices.below(2) ? choices.of(recent) : choices.of(pool);
    const made = choices.of(kinds)(x, pool, choices);
    if (count(made.shape) <= MAXIMUM_ELEMENTS) pool.push(visit(made));
  }
  return pool;
}

type Step = (x: Tensor, pool: readonly Tensor[], choices: Choices) => Tensor;

const steps = {
  unary: (x, _, choices) =>
    choices.of([x.tanh(), x.sin(), x.sigmoid(), x.neg(), x.abs().add(1).rsqrt(), x.silu()]),
  scalar: (x, _, choices) => choices.of([x.mul(0.5), x.add(choices.below(5)), x.maximum(0.1)]),
  binary(x, pool, choices) {
    const y = partner(x, pool, choices);
    return choices.of([x.add(y), x.mul(y.tanh()), x.sub(y), where(x.lt(y), x, y), x.maximum(y)]);
  },
  square: (x) => x.tanh().square(),
  permute: (x, _, choices) => x.permute(choices.shuffled([...x.shape.keys()])),
  reshape(x, _, choices) {
    const at = choices.below(x.shape.length + 1);
    return choices.of([x.reshape(-1), x.unsqueeze(at), x.squeeze(), x.reshape(-1).reshape(x.shape)]);
  },
  slice(x, _, choices) {
    const begin = x.shape.map((size) => (size > 1 ? choices.below(2) : 0));
    return x.slice(begin, x.shape);
  },
  pad: (x, _, choices) => x.pad(x.shape.map(() => [choices.below(2), choices.below(2)])),
  broadcast: (x, _, choices) => x.unsqueeze(0).broadcastTo([1 + choices.below(3), ...x.shape]),
  join(x, pool, choices) {
    if (x.shape.length === 0) return x.add(1);
    const axis = choices.below(x.shape.length);
    return concat([x, choices.of(pool.filter((y) => alike(x, y))) ?? x.neg(), x.sin()], axis);
  },
  reduce(x, _, choices) {
    const axes = [...x.shape.keys()].filter(() => choices.below(2) === 0);
    const keepDims = choices.below(2) === 0;
    return choices.of([x.sum(axes, keepDims).mul(0.3), x.mean(axes, keepDims), x.max(axes, keepDims)]);
  },
  product(x, pool, choices) {
    const matrix = x.shape.length < 2 ? x.reshape(1, -1) : x;
    const k = matrix.shape[matrix.shape.length - 1];
    const others = pool.filter((y) => y.shape.length === 2 && y.shape[0] === k);
    const other = choices.of([...others, matrix.transpose()]);
    return matrix.matmul(other).mul(1 / k);
  },
  normalize: (x, _, choices) =>
    x.shape.length === 0
      ? x.tanh()
      : choices.of([x.softmax(), layerNorm(x, undefined, undefined, { epsilon: 0.1 })]),
  detach: (x) => x.detach(),
} satisfies Record<string, Step>;

const alike = (x: Tensor, y: Tensor) => String(x.shape) === String(y.shape);

/** Something that broadcasts to the shape of x. */
function partner(x: Tensor, pool: readonly Tensor[], choices: Choices): Tensor {
  const fitting = pool.filter(
    (y) =>
      y.shape.length <= x.shape.length &&
      y.shape.every((size, d) => size === 1 || size === x.shape[d + x.shape.length - y.shape.length]),
  );
  return choices.of(fitting);
}
