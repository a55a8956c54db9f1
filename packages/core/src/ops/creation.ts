/** Tensors from numbers. */

import { type DType, elementCount } from '@dmpo/kernels';
import { argumentError } from '../errors.js';
import { nextId, type Shape } from '../graph.js';
import { Tensor } from '../tensor.js';
import { checkShape } from './axes.js';
import { constant, scalar } from './constant.js';
import { alias } from './movement.js';
import { cast } from './pointwise.js';

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;
export type NestedNumbers = number | readonly NestedNumbers[];

/**
 * A tensor from host numbers. Typed arrays are read when a plan runs, not copied: do not change them before.
 * The dtype follows the array (Float32Array and Float64Array: float32, Uint8Array: bool) unless given.
 */
export function tensor(data: TypedArray | NestedNumbers, shape?: Shape, dtype?: DType): Tensor {
  if (typeof data === 'number' && shape === undefined) return full([], data, dtype);
  const flat = ArrayBuffer.isView(data) ? data : Float64Array.from(flatten(data));
  const fullShape = checkShape(
    'tensor',
    shape ?? (ArrayBuffer.isView(data) ? [flat.length] : nestedShape(data)),
  );
  if (elementCount(fullShape) !== flat.length)
    throw argumentError(
      'tensor',
      `${flat.length} numbers for shape [${fullShape.join(', ')}]`,
      `Give ${elementCount(fullShape)} numbers.`,
    );
  return new Tensor({
    kind: 'host',
    id: nextId(),
    shape: fullShape,
    dtype: dtype ?? naturalType(flat),
    data: flat,
  });
}

function naturalType(data: TypedArray): DType {
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof Uint8Array) return 'bool';
  return 'float32';
}

function flatten(data: NestedNumbers): number[] {
  return typeof data === 'number' ? [data] : data.flatMap(flatten);
}

function nestedShape(data: NestedNumbers): number[] {
  if (typeof data === 'number') return [];
  const [first, ...others] = data.map(nestedShape);
  if (first === undefined || !others.every((other) => String(other) === String(first)))
    throw argumentError(
      'tensor',
      'nested arrays of unequal lengths',
      'Every row must have the same length, at least 1.',
    );
  return [data.length, ...first];
}

// Aliases, since a plain constant may be copied or simplified away, and its gradient with it.
export const full = (shape: Shape, value: number, dtype: DType = 'float32') =>
  inDtype(dtype, (held) => alias(scalar(value, checkShape('full', shape), held)));
export const zeros = (shape: Shape, dtype: DType = 'float32') =>
  inDtype(dtype, (held) => alias(constant(0, checkShape('zeros', shape), held)));
export const ones = (shape: Shape, dtype: DType = 'float32') =>
  inDtype(dtype, (held) => alias(constant(1, checkShape('ones', shape), held)));

/** Numbers in expressions are of dtypes that can be computed with: float16 is made of float32. */
function inDtype(dtype: DType, make: (held: DType) => Tensor): Tensor {
  return dtype === 'float16' ? cast(make('float32'), dtype) : make(dtype);
}

/** Every element's own row-major position, int32. */
export const indices = (shape: Shape) => new Tensor({ kind: 'index', id: nextId(), shape, dtype: 'int32' });

/** begin, begin + step, ... below end, as int32. arange(n) counts from 0 to n - 1. */
export function arange(begin: number, end?: number, step = 1): Tensor {
  const [from, to] = end === undefined ? [0, begin] : [begin, end];
  if (![from, to, step].every(Number.isInteger) || (to - from) / step <= 0)
    throw argumentError(
      'arange',
      `from ${from} to ${to} by ${step}`,
      'Use integers and a step that leads from begin to end.',
    );
  const count = indices([Math.ceil((to - from) / step)]);
  const scaled = step === 1 ? count : count.mul(step);
  return from === 0 ? scaled : scaled.add(from);
}

/** `count` numbers from begin to end, both included. */
export function linspace(begin: number, end: number, count: number): Tensor {
  if (!Number.isInteger(count) || count < 1)
    throw argumentError('linspace', `${count} numbers`, 'Use a positive count.');
  if (count === 1) return full([1], begin);
  return tensor(Float64Array.from({ length: count }, (_, i) => begin + ((end - begin) * i) / (count - 1)));
}

/** 1 at every index's class, else 0: int32 [...] -> float32 [..., classes]. */
export function oneHot(classIndices: Tensor, classes: number): Tensor {
  return cast(classIndices.unsqueeze(classIndices.shape.length).eq(arange(classes)), 'float32');
}

/** The identity matrix. */
export const eye = (size: number) => oneHot(arange(size), size);
