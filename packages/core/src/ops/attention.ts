/**
 * Scaled dot-product attention: softmax(scale * Q K^T) V per head, without a score matrix in memory.
 * Forward saves the logsumexp of each row of scores; the gradient kernel recomputes the probabilities from it (Dao et al. 2022).
 * The composed form is what the second derivative is taken from. q, k and v may be float16; what is computed of them is float32.
 */

import { autocastOperand } from '../autocast.js';
import { argumentError, shapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { sameShape } from './axes.js';
import { call } from './call.js';
import { composedFirstGradient, composedGradient } from './fused.js';
import { swapAxes } from './movement.js';

export interface AttentionOptions {
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
}

/** q [batch, queries, heads, headDim], k and v [batch, keys, heads, headDim] -> like q. */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch, queries, heads, headDim] = q.shape as [number, number, number, number];
  const keys = k.shape[1] as number;
  if (
    q.shape.length !== 4 ||
    !sameShape(k.shape, v.shape) ||
    !sameShape(k.shape, [batch, keys, heads, headDim])
  )
    throw shapeError(
      'attention',
      [q.shape, k.shape, v.shape],
      'q must be [batch, queries, heads, headDim], k and v [batch, keys, heads, headDim].',
    );
  const scale = options.scale ?? 1 / Math.sqrt(headDim);
  if (!Number.isFinite(scale)) throw argumentError('attention', `scale ${scale}`, 'Use a finite number.');
  const sizes = { batch, heads, queries, keys, headDim, scale };
  const composedGrad = composedFirstGradient(([q, k, v]) =>
    composedAttention(q as Tensor, k as Tensor, v as Tensor, scale),
  );

  const [output] = call({
    kernel: { kind: 'attention', ...sizes },
    inputs: [q, k, v].map(autocastOperand),
    takesFloat16: true,
    outputShapes: [q.shape, [batch, heads, queries]],
    gradient: ([g], [q, k, v], [output, logsumexp]) => {
      if (!g) return [];
      return call({
        kernel: { kind: 'attentionGrad', ...sizes },
        inputs: [g, q, k, v, output, logsumexp] as Tensor[],
        takesFloat16: true,
        outputShapes: [(q as Tensor).shape, (k as Tensor).shape, (v as Tensor).shape],
        // The output and the logsumexp follow from q, k and v: the composed form differentiates through them.
        gradient: (cotangents, inputs) => composedGradient(composedGrad, inputs.slice(0, 4), cotangents),
      });
    },
  });
  return output as Tensor;
}

/** The operation in primitives: the fused kernel's oracle and its derivative's source. */
export function composedAttention(q: Tensor, k: Tensor, v: Tensor, scale: number): Tensor {
  const byHead = (x: Tensor) => swapAxes(x, 1, 2);
  const scores = byHead(q).matmul(byHead(k).transpose()).mul(scale);
  return byHead(scores.softmax(-1).matmul(byHead(v)));
}
