/**
 * Matrix product over the last two axes.
 * Gradients of C = A B: dA = dC B^T, dB = A^T dC, each again a matmul whose transposes are flags of the kernel; a matrix that
 * served a whole batch gets the sum over it. Operands may be float16, as those of conv2d.
 */

import { elementCount } from '@dmpo/kernels';
import { autocastOperand, likeOperand } from '../autocast.js';
import { shapeError } from '../errors.js';
import type { Shape } from '../graph.js';
import type { Tensor } from '../tensor.js';
import { broadcastShapes, sameShape } from './axes.js';
import { call } from './call.js';
import { broadcastTo, reshape, transpose } from './movement.js';
import { sum } from './reduce.js';

/** [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast as in NumPy. */
export function matmul(left: Tensor, right: Tensor): Tensor {
  const [a, b] = [operand(left), operand(right)];
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  if (rankA < 2 || rankB < 2 || a.shape[rankA - 1] !== b.shape[rankB - 2])
    throw shapeError(
      'matmul',
      [a.shape, b.shape],
      'Operands must be [..., m, k] and [..., k, n] with the same k.',
    );
  const leadingA = a.shape.slice(0, -2);
  const leadingB = b.shape.slice(0, -2);
  const [m, k, n] = [
    a.shape[rankA - 2] as number,
    a.shape[rankA - 1] as number,
    b.shape[rankB - 1] as number,
  ];

  // One matrix on the right: the rows of all left matrices are rows of one product.
  if (elementCount(leadingB) === 1 && !isTransposed(a)) {
    const rows = reshape(a, [elementCount(leadingA) * m, k]);
    const product = multiply(rows, reshape(b, [k, n]));
    return reshape(product, [...broadcastShapes('matmul', [leadingA, leadingB]), m, n]);
  }

  const leading = broadcastShapes('matmul', [leadingA, leadingB]);
  const batch = elementCount(leading);
  const product = multiply(asBatch(a, leading, batch), asBatch(b, leading, batch));
  return reshape(product, [...leading, m, n]);
}

/** The operand as autocast has it. What is transposed stays so: the conversion is of what lies in memory. */
function operand(x: Tensor): Tensor {
  return isTransposed(x) ? transpose(autocastOperand(transpose(x))) : autocastOperand(x);
}

/** A single matrix stays one and is shared; anything else is repeated to the whole batch and flattened to [batch, rows, columns]. */
function asBatch(x: Tensor, leading: Shape, batch: number): Tensor {
  const matrix = x.shape.slice(-2);
  const own = x.shape.slice(0, -2);
  if (isTransposed(x)) return transpose(asBatch(transpose(x), leading, batch));
  if (elementCount(own) === 1) return reshape(x, matrix);
  const whole = sameShape(own, leading) ? x : broadcastTo(x, [...leading, ...matrix]);
  return reshape(whole, [batch, ...matrix]);
}

/** The product of [batch, m, k] or [m, k] and [batch, k, n] or [k, n]; the result has a batch axis if an operand has. */
function multiply(a: Tensor, b: Tensor): Tensor {
  const transposeA = isTransposed(a);
  const transposeB = isTransposed(b);
  const left = transposeA ? transpose(a) : a;
  const right = transposeB ? transpose(b) : b;
  const batchedA = a.shape.length === 3;
  const batchedB = b.shape.length === 3;
  const batch = batchedA ? (a.shape[0] as number) : batchedB ? (b.shape[0] as number) : 1;
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape[b.shape.length - 1] as number;
  const [product] = call({
    kernel: { kind: 'matmul', batch, m, n, k, transposeA, transposeB, batchedA, batchedB },
    inputs: [left, right],
    takesFloat16: true,
    outputShapes: [batchedA || batchedB ? [batch, m, n] : [m, n]],
    gradient: ([g], [x, y]) => {
      const [p, q] = [x as Tensor, y as Tensor];
      const gradient = likeOperand(g as Tensor, p);
      const opA = transposeA ? transpose(p) : p;
      const opB = transposeB ? transpose(q) : q;
      const gradientA = summedLike(matmul(gradient, transpose(opB)), opA.shape);
      const gradientB = summedLike(matmul(transpose(opA), gradient), opB.shape);
      return [transposeA ? transpose(gradientA) : gradientA, transposeB ? transpose(gradientB) : gradientB];
    },
  });
  return product as Tensor;
}

/** Sums over the batch that a shared matrix served. */
function summedLike(gradient: Tensor, shape: Shape): Tensor {
  return gradient.shape.length === shape.length ? gradient : sum(gradient, 0);
}

/** True for a tensor that is the transpose of one that lies in memory: the kernel reads it as it lies. */
function isTransposed(x: Tensor): boolean {
  const { node } = x;
  if (node.kind !== 'movement' || node.movement.kind !== 'permute' || node.storage) return false;
  const rank = node.shape.length;
  return node.movement.axes.every(
    (axis, d) => axis === (d < rank - 2 ? d : d === rank - 2 ? rank - 1 : rank - 2),
  );
}
