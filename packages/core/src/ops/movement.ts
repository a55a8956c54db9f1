/**
 * Movements: the same elements in another arrangement. They cost nothing; kernels read through the resulting views.
 * Gradients: reshape <- reshape back; permute <- inverse permute; broadcast <- sum over the repeated axes;
 * slice <- pad with zeros; pad <- slice.
 */

import { elementCount } from '@dmpo/kernels';
import { argumentError, dtypeError, formatShape, shapeError } from '../errors.js';
import { type Movement, type MovementNode, type Node, nextId, type Shape } from '../graph.js';
import { Tensor } from '../tensor.js';
import { broadcastShapes, checkShape, normalizeAxes, normalizeAxis, sameShape } from './axes.js';
import { constant, scalar } from './constant.js';
import { pointwise } from './pointwise.js';
import { sum } from './reduce.js';

/** `shape` may hold one -1, which takes what is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.filter((size) => size !== -1);
  const holes = shape.length - known.length;
  const count = elementCount(x.shape);
  const rest = count / elementCount(known);
  const full = shape.map((size) => (size === -1 ? rest : size));
  if (holes > 1 || !Number.isInteger(rest) || elementCount(full) !== count)
    throw shapeError(
      'reshape',
      [x.shape, shape],
      `The new shape must have ${count} elements, with at most one -1.`,
    );
  checkShape('reshape', full);
  if (sameShape(full, x.shape)) return x;
  return move(x, { kind: 'reshape' }, full);
}

/** The same tensor as a new node that is never simplified away: gradients can be asked for at this very place of the graph. */
export function alias({ node }: Tensor): Tensor {
  const { shape, dtype } = node;
  return new Tensor({
    kind: 'movement',
    id: nextId(),
    shape,
    dtype,
    movement: { kind: 'reshape' },
    source: node,
  });
}

/** Axis d of the result is axis `axes[d]` of x. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length;
  const order = axes.map((axis) => normalizeAxis('permute', axis, rank));
  if (order.length !== rank || new Set(order).size !== rank)
    throw argumentError(
      'permute',
      `axes ${formatShape(axes)} of a tensor of shape ${formatShape(x.shape)}`,
      'Name every axis once.',
    );
  if (order.every((axis, d) => axis === d)) return x;
  const { node } = x;
  // Two permutations are one, and a permutation undone is nothing: a transpose of a transpose costs nothing.
  if (node.kind === 'movement' && node.movement.kind === 'permute' && !node.storage) {
    const { axes: first } = node.movement;
    return permute(
      new Tensor(node.source),
      order.map((axis) => first[axis] as number),
    );
  }
  return move(
    x,
    { kind: 'permute', axes: order },
    order.map((axis) => x.shape[axis] as number),
  );
}

/** Swaps the last two axes. */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length;
  if (rank < 2) throw shapeError('transpose', [x.shape], 'The tensor needs at least two axes.');
  return permute(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Exchanges two axes. */
export function swapAxes(x: Tensor, first: number, second: number): Tensor {
  const axes = [...x.shape.keys()];
  axes[first] = second;
  axes[second] = first;
  return permute(x, axes);
}

/** Repeats axes of size 1, and new leading axes, as NumPy does. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  checkShape('broadcastTo', shape);
  if (!sameShape(broadcastShapes('broadcastTo', [x.shape, shape]), shape))
    throw shapeError('broadcastTo', [x.shape, shape], 'Only axes of size 1 can be repeated.');
  const aligned = reshape(x, [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape]);
  if (sameShape(aligned.shape, shape)) return aligned;
  return move(aligned, { kind: 'broadcast' }, shape);
}

/** Elements `begin[d]` to `end[d]` (exclusive) of every axis; negative numbers count from the end. */
export function slice(x: Tensor, begin: readonly number[], end: readonly number[]): Tensor {
  const rank = x.shape.length;
  if (begin.length !== rank || end.length !== rank)
    throw argumentError(
      'slice',
      `${begin.length} begins and ${end.length} ends for shape ${formatShape(x.shape)}`,
      'Give one of each per axis.',
    );
  const from = begin.map((at, d) => (at < 0 ? at + (x.shape[d] as number) : at));
  const to = end.map((at, d) => (at < 0 ? at + (x.shape[d] as number) : at));
  const shape = to.map((at, d) => at - (from[d] as number));
  if (
    from.some(
      (at, d) =>
        !Number.isInteger(at) ||
        at < 0 ||
        (to[d] as number) > (x.shape[d] as number) ||
        (shape[d] as number) <= 0,
    )
  )
    throw argumentError(
      'slice',
      `${formatShape(begin)} to ${formatShape(end)} of shape ${formatShape(x.shape)}`,
      'Ranges must lie inside the tensor and not be empty.',
    );
  if (sameShape(shape, x.shape)) return x;
  return move(x, { kind: 'slice', begin: from }, shape);
}

/** Elements `begin` to `end` (exclusive, default the end) of one axis. */
export function sliceAxis(x: Tensor, axis: number, begin: number, end?: number): Tensor {
  const at = normalizeAxis('sliceAxis', axis, x.shape.length);
  const from = x.shape.map((_, d) => (d === at ? begin : 0));
  const to = x.shape.map((size, d) => (d === at ? (end ?? size) : size));
  return slice(x, from, to);
}

/** Adds `amounts[d] = [before, after]` zeros to every axis. */
export function pad(x: Tensor, amounts: readonly (readonly [before: number, after: number])[]): Tensor {
  if (
    amounts.length !== x.shape.length ||
    !amounts.flat().every((amount) => Number.isInteger(amount) && amount >= 0)
  )
    throw argumentError(
      'pad',
      `${JSON.stringify(amounts)} for shape ${formatShape(x.shape)}`,
      'Give [before, after], both >= 0, per axis.',
    );
  if (amounts.flat().every((amount) => amount === 0)) return x;
  const shape = x.shape.map(
    (size, d) =>
      size + (amounts[d] as readonly [number, number])[0] + (amounts[d] as readonly [number, number])[1],
  );
  return move(x, { kind: 'pad', before: amounts.map(([before]) => before) }, shape);
}

/** Removes axes of size 1: the given one, or all of them. */
export function squeeze(x: Tensor, axis?: number): Tensor {
  if (axis === undefined)
    return reshape(
      x,
      x.shape.filter((size) => size !== 1),
    );
  const at = normalizeAxis('squeeze', axis, x.shape.length);
  if (x.shape[at] !== 1) throw shapeError('squeeze', [x.shape], `Axis ${axis} must have size 1.`);
  return reshape(
    x,
    x.shape.filter((_, d) => d !== at),
  );
}

/** Adds an axis of size 1 before axis `axis` of the result. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis('unsqueeze', axis, x.shape.length + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Joins tensors of one dtype along an axis; the other sizes must agree. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors;
  if (!first) throw argumentError('concat', 'no tensors', 'Give at least one.');
  const at = normalizeAxis('concat', axis, first.shape.length);
  const shapes = tensors.map((tensor) => tensor.shape);
  if (
    !shapes.every(
      (shape) =>
        shape.length === first.shape.length && shape.every((size, d) => d === at || size === first.shape[d]),
    )
  )
    throw shapeError('concat', shapes, `All sizes but that of axis ${axis} must agree.`);
  if (!tensors.every(({ dtype }) => dtype === first.dtype))
    throw dtypeError(
      'concat',
      tensors.map(({ dtype }) => dtype),
      'Tensors must share one dtype: use cast() on the others.',
    );
  const total = shapes.reduce((sum, shape) => sum + (shape[at] as number), 0);
  let before = 0;
  let joined: Tensor | undefined;
  for (const tensor of tensors) {
    const size = tensor.shape[at] as number;
    const after = total - before - size;
    const padded = pad(
      tensor,
      tensor.shape.map((_, d): [number, number] => (d === at ? [before, after] : [0, 0])),
    );
    // Where one tensor lies the others are zero, so that the sum is the union.
    joined = joined ? pointwise(first.dtype === 'bool' ? 'or' : 'add', joined, padded) : padded;
    before += size;
  }
  return joined as Tensor;
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const shapes = tensors.map((tensor) => tensor.shape);
  if (!shapes.every((shape) => sameShape(shape, shapes[0] as Shape)))
    throw shapeError('stack', shapes, 'All shapes must be the same.');
  return concat(
    tensors.map((tensor) => unsqueeze(tensor, axis)),
    axis,
  );
}

/** Cuts an axis into `parts` equal pieces, or into pieces of the given sizes. */
export function split(x: Tensor, parts: number | readonly number[], axis: number): Tensor[] {
  const at = normalizeAxis('split', axis, x.shape.length);
  const size = x.shape[at] as number;
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(size / parts) : parts;
  if (!sizes.every((part) => Number.isInteger(part) && part > 0) || sizes.reduce((a, b) => a + b, 0) !== size)
    throw argumentError(
      'split',
      `axis ${axis} of shape ${formatShape(x.shape)} into ${parts}`,
      `The pieces must be positive and add up to ${size}.`,
    );
  let begin = 0;
  return sizes.map((part) => {
    begin += part;
    return sliceAxis(x, at, begin - part, begin);
  });
}

/** Repeats every pixel `scale` x `scale` times: [N, H, W, C] -> [N, H*scale, W*scale, C]. */
export function upsampleNearest(x: Tensor, scale = 2): Tensor {
  if (x.shape.length !== 4)
    throw shapeError('upsampleNearest', [x.shape], 'The tensor must be [batch, height, width, channels].');
  if (!Number.isInteger(scale) || scale < 1)
    throw argumentError('upsampleNearest', `scale ${scale}`, 'Use a positive integer.');
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const apart = reshape(x, [batch, height, 1, width, 1, channels]);
  const repeated = broadcastTo(apart, [batch, height, scale, width, scale, channels]);
  return reshape(repeated, [batch, height * scale, width * scale, channels]);
}

function move(x: Tensor, movement: Movement, shape: Shape): Tensor {
  const source = x.node;
  if (source.kind === 'constant' && movement.kind !== 'pad')
    return constant(source.value, shape, source.dtype);
  if (source.kind === 'scalar' && movement.kind !== 'pad') return scalar(source.value, shape, source.dtype);
  return new Tensor({ kind: 'movement', id: nextId(), shape, dtype: source.dtype, movement, source });
}

export function movementGradient(node: MovementNode, gradient: Tensor): Tensor {
  const source: Node = node.source;
  const { movement } = node;
  switch (movement.kind) {
    case 'reshape':
      return reshape(gradient, source.shape);
    case 'permute': {
      const inverse = new Array<number>(movement.axes.length);
      movement.axes.forEach((axis, d) => {
        inverse[axis] = d;
      });
      return permute(gradient, inverse);
    }
    case 'broadcast': {
      const repeated = normalizeAxes('broadcastTo', undefined, node.shape.length).filter(
        (d) => source.shape[d] === 1 && node.shape[d] !== 1,
      );
      return sum(gradient, repeated, true);
    }
    case 'slice':
      return pad(
        gradient,
        source.shape.map((size, d) => {
          const before = movement.begin[d] as number;
          return [before, size - before - (node.shape[d] as number)] as const;
        }),
      );
    case 'pad':
      return slice(
        gradient,
        movement.before,
        movement.before.map((before, d) => before + (source.shape[d] as number)),
      );
    default:
      return movement satisfies never;
  }
}
