/**
 * Mixed precision: inside `autocast`, operands of matrix products and convolutions are stored as float16, half the memory to hold and
 * to read. Everything is computed in float32, and all else (norms, softmax, sums, losses, parameters, their gradients) stays float32.
 */

import type { Node } from './graph.js';
import { cast } from './ops/pointwise.js';
import type { Tensor } from './tensor.js';

/** What was converted in one scope: a weight that several products share is converted once. */
type Scope = Map<Node, Tensor>;

let current: Scope | undefined;

/**
 * What `fn` builds, with the operands of its matmul, linear and convolution layers rounded to float16; also what the gradients of
 * those need. As PyTorch's autocast, but for the results, which are float32. Gradients below 2^-24 are lost when they are rounded:
 * multiply the loss, see `optim.GradScaler`. Needs a device with float16, which is asked for when the tensors are computed.
 */
export function autocast<Result>(fn: () => Result): Result {
  return resumeAutocast(new Map(), fn);
}

/** The scope that is open, to be resumed when a part of it is built again. */
export function currentAutocast(): Scope | undefined {
  return current;
}

export function resumeAutocast<Result>(scope: Scope | undefined, fn: () => Result): Result {
  const outer = current;
  current = scope;
  try {
    return fn();
  } finally {
    current = outer;
  }
}

/** The operand of a product as it is to be stored. */
export function autocastOperand(x: Tensor): Tensor {
  if (current === undefined || x.dtype !== 'float32') return x;
  const known = current.get(x.node);
  if (known !== undefined) return known;
  const half = cast(x, 'float16');
  current.set(x.node, half);
  return half;
}

/** A gradient as it is to be multiplied with an operand. */
export function likeOperand(gradient: Tensor, operand: Tensor): Tensor {
  return cast(gradient, operand.dtype);
}
