/** Gradient clipping by the norm of all gradients together. */

import { argumentError } from '../errors.js';
import type { Tensor } from '../tensor.js';

/**
 * The gradients times min(1, maxNorm / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`, and `norm`: the Euclidean norm of all
 * gradients before clipping, a scalar tensor. The gradients are worthless if it is not finite.
 */
export function clipByGlobalNorm(
  gradients: ReadonlyMap<string, Tensor>,
  maxNorm: number,
): { grads: Map<string, Tensor>; norm: Tensor } {
  const [first, ...others] = [...gradients.values()].map((gradient) => gradient.square().sum());
  if (!first) throw argumentError('clipByGlobalNorm', 'no gradients', 'Give at least one.');
  if (!(maxNorm > 0)) throw argumentError('clipByGlobalNorm', `maxNorm ${maxNorm}`, 'Use a positive number.');
  const norm = others.reduce((total, squares) => total.add(squares), first).sqrt();
  const coefficient = norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1);
  return {
    grads: new Map([...gradients].map(([name, gradient]) => [name, gradient.mul(coefficient)])),
    norm,
  };
}
