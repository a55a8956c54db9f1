/**
 * Reductions. Gradients: sum <- the gradient repeated; mean <- the same divided by the count; max <- the gradient at the
 * maxima, shared equally between ties. The others are composed of these.
 */

import { elementCount } from '@dmpo/kernels';
import { dtypeError } from '../errors.js';
import { nextId, type ReduceNode, type Shape } from '../graph.js';
import { Tensor } from '../tensor.js';
import { normalizeAxes, normalizeAxis } from './axes.js';
import { constant } from './constant.js';
import { arange } from './creation.js';
import { broadcastTo, reshape } from './movement.js';
import { cast, pointwise, where } from './pointwise.js';

type Axes = number | readonly number[];

export const sum = (x: Tensor, axes?: Axes, keepDims = false) => reduce('sum', x, axes, keepDims);
export const mean = (x: Tensor, axes?: Axes, keepDims = false) => reduce('mean', x, axes, keepDims);
export const max = (x: Tensor, axes?: Axes, keepDims = false) => reduce('max', x, axes, keepDims);
export const min = (x: Tensor, axes?: Axes, keepDims = false) =>
  reversed(reduce('max', reversed(x), axes, keepDims, 'min'));

/** The same numbers in the opposite order. Not every integer has a negative; every one has a complement. */
function reversed(x: Tensor): Tensor {
  if (x.dtype === 'bool') return x;
  return x.dtype.startsWith('float') ? x.neg() : pointwise('bitXor', x, -1);
}

/** Mean squared deviation from the mean, in two passes; divided by count - 1 instead of count if `unbiased`. */
export function variance(x: Tensor, axes?: Axes, keepDims = false, { unbiased = false } = {}): Tensor {
  const normalized = normalizeAxes('variance', axes, x.shape.length);
  const centred = x.sub(mean(x, normalized, true));
  const biased = mean(centred.mul(centred), normalized, keepDims);
  if (!unbiased) return biased;
  const count = elementCount(normalized.map((axis) => x.shape[axis] as number));
  return biased.mul(count / (count - 1));
}

/** Position of the largest element along an axis (the first of equals), as int32; NaN counts as the largest of all. */
export function argmax(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis('argmax', axis, x.shape.length);
  const size = x.shape[at] as number;
  const missing = x.ne(x);
  const isLargest = x.eq(max(x, at, true)).logicalOr(missing);
  const shape = x.shape.map((_, d) => (d === at ? size : 1));
  // Counting from the end turns "first" into "largest".
  const fromEnd = reshape(arange(size), shape).neg().add(size);
  const best = max(where(isLargest, cast(broadcastTo(fromEnd, x.shape), 'float32'), 0), at);
  return cast(best.neg().add(size), 'int32');
}

/** log(sum(exp(x))), stable for any x. */
export function logsumexp(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const normalized = normalizeAxes('logsumexp', axes, x.shape.length);
  const largest = max(x, normalized, true).detach();
  // A row of -Infinity would give -Infinity - -Infinity; its shift is 0.
  const shift = where(largest.abs().lt(Number.POSITIVE_INFINITY), largest, 0);
  const result = sum(x.sub(shift).exp(), normalized, true).log().add(shift);
  return keepDims ? result : reshape(result, reducedShape(x.shape, normalized, false));
}

function reduce(
  reduction: ReduceNode['reduction'],
  x: Tensor,
  axes: Axes | undefined,
  keepDims: boolean,
  operation: string = reduction,
): Tensor {
  if (x.dtype === 'float16') return reduce(reduction, cast(x, 'float32'), axes, keepDims, operation);
  if (x.dtype === 'bool' || (x.dtype !== 'float32' && reduction === 'mean'))
    throw dtypeError(operation, [x.dtype], "Use cast('float32') first.");
  const normalized = normalizeAxes(operation, axes, x.shape.length);
  const kept = reducedShape(x.shape, normalized, true);
  const dropped = reducedShape(x.shape, normalized, false);
  const count = elementCount(normalized.map((axis) => x.shape[axis] as number));
  if (count === 1) return reshape(x, keepDims ? kept : dropped);
  const { node } = x;
  if (node.kind === 'constant')
    return constant(
      reduction === 'sum' ? node.value * count : node.value,
      keepDims ? kept : dropped,
      x.dtype,
    );
  const result = new Tensor({
    kind: 'reduce',
    id: nextId(),
    shape: dropped,
    dtype: x.dtype,
    reduction,
    axes: normalized,
    source: node,
  });
  return keepDims ? reshape(result, kept) : result;
}

function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((size, d) => (axes.includes(d) ? 1 : size));
  return shape.filter((_, d) => !axes.includes(d));
}

export function reduceGradient(node: ReduceNode, gradient: Tensor): Tensor {
  const source = new Tensor(node.source);
  const kept = reducedShape(source.shape, node.axes, true);
  const repeat = (tensor: Tensor) => broadcastTo(reshape(tensor, kept), source.shape);
  switch (node.reduction) {
    case 'sum':
      return repeat(gradient);
    case 'mean':
      return repeat(gradient.mul(elementCount(node.shape) / elementCount(source.shape)));
    case 'max': {
      const isMaximum = cast(source.eq(repeat(new Tensor(node))), 'float32');
      return repeat(gradient.div(sum(isMaximum, node.axes))).mul(isMaximum);
    }
    default:
      return node.reduction satisfies never;
  }
}
