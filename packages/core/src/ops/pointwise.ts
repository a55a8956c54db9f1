/** Pointwise operations: typing, broadcasting and simplification. Their gradients are in pointwise-gradients.ts. */

import { type DType, type PointwiseOp, pointwiseTable, resultType } from '@dmpo/kernels';
import { argumentError, dtypeError } from '../errors.js';
import { type Node, nextId } from '../graph.js';
import { Tensor, type TensorLike } from '../tensor.js';
import { broadcastShapes } from './axes.js';
import { constant, scalar } from './constant.js';
import { broadcastTo } from './movement.js';

/**
 * Applies one row of the table. Numbers take the dtype of the first tensor among the operands and travel as data. float16, which is
 * for storage only, is read as float32.
 */
export function pointwise(op: PointwiseOp, ...given: readonly TensorLike[]): Tensor {
  const operands = op.startsWith('toFloat') ? given : given.map(widened);
  const shape = broadcastShapes(
    op,
    operands.map((operand) => (typeof operand === 'number' ? [] : operand.shape)),
  );
  const dtype = commonType(op, operands);
  const args = operands.map((operand, position) => {
    if (typeof operand === 'number') {
      if (!Number.isInteger(operand) && dtype.includes('int'))
        throw dtypeError(op, [dtype, String(operand)], 'Use a whole number, or cast the tensor to float32.');
      return scalar(operand, shape, dtype);
    }
    if (operand.dtype !== dtype && !(op === 'where' && position === 0) && !op.startsWith('to'))
      throw dtypeError(
        op,
        operands.map(typeName),
        'Operands must share one dtype: use cast() on one of them.',
      );
    return broadcastTo(operand, shape);
  });
  checkAccepted(op, args);
  return simplify(op, args) ?? build(op, args);
}

const widened = (operand: TensorLike) =>
  typeof operand !== 'number' && operand.dtype === 'float16' ? cast(operand, 'float32') : operand;

const accepted: Record<(typeof pointwiseTable)[PointwiseOp]['accepts'], readonly DType[]> = {
  float: ['float32'],
  number: ['float32', 'int32', 'uint32'],
  integer: ['int32', 'uint32'],
  bool: ['bool'],
  any: ['float32', 'int32', 'uint32', 'bool', 'float16'],
};

function checkAccepted(op: PointwiseOp, args: readonly Tensor[]): void {
  const types = accepted[pointwiseTable[op].accepts];
  if (!args.every(({ dtype }) => types.includes(dtype)) || (op === 'where' && args[0]?.dtype !== 'bool'))
    throw dtypeError(
      op,
      args.map(typeName),
      op === 'where' ? 'The condition must be bool.' : `It takes ${types.join(', ')}: use cast().`,
    );
}

const typeName = (operand: TensorLike) => (typeof operand === 'number' ? 'number' : operand.dtype);

function commonType(op: PointwiseOp, operands: readonly TensorLike[]): DType {
  const values = op === 'where' ? operands.slice(1) : operands;
  for (const operand of values) if (typeof operand !== 'number') return operand.dtype;
  if (op === 'where') return 'float32';
  throw argumentError(op, 'only numbers', 'Give at least one tensor.');
}

function build(op: PointwiseOp, args: readonly Tensor[]): Tensor {
  const nodes: Node[] = args.map((arg) => arg.node);
  const { shape } = args[0] as Tensor;
  const dtype = resultType(
    op,
    nodes.map((node) => node.dtype),
  );
  return new Tensor({ kind: 'pointwise', id: nextId(), shape, dtype, op, args: nodes });
}

/** Neutral and absorbing structural constants disappear: the ones and zeros of gradients. */
function simplify(op: PointwiseOp, args: readonly Tensor[]): Tensor | undefined {
  const [a, b] = args as [Tensor, Tensor];
  const value = (x: Tensor | undefined) => (x?.node.kind === 'constant' ? x.node.value : undefined);
  const [left, right] = [value(a), value(b)];
  switch (op) {
    case 'add':
      if (left !== undefined && right !== undefined) return constant(left + right, a.shape, a.dtype);
      if (left === 0) return b;
      if (right === 0) return a;
      return undefined;
    case 'sub':
      if (right === 0) return a;
      return undefined;
    case 'mul':
      if (left !== undefined && right !== undefined) return constant(left * right, a.shape, a.dtype);
      if (left === 1) return b;
      if (right === 1) return a;
      return undefined;
    case 'neg':
      return left === undefined ? undefined : constant(-left, a.shape, a.dtype);
    case 'toFloat32':
      return a.dtype === 'float32' ? a : undefined;
    case 'toInt32':
      return a.dtype === 'int32' ? a : undefined;
    case 'toUint32':
      return a.dtype === 'uint32' ? a : undefined;
    case 'toBool':
      return a.dtype === 'bool' ? a : undefined;
    default:
      return undefined;
  }
}

export const add = (a: TensorLike, b: TensorLike) => pointwise('add', a, b);
export const sub = (a: TensorLike, b: TensorLike) => pointwise('sub', a, b);
export const mul = (a: TensorLike, b: TensorLike) => pointwise('mul', a, b);
export const div = (a: TensorLike, b: TensorLike) => pointwise('div', a, b);
export const neg = (a: Tensor) => pointwise('neg', a);

/** Elements of a where the condition holds, else of b. */
export const where = (condition: Tensor, a: TensorLike, b: TensorLike) => pointwise('where', condition, a, b);

const casts = { float32: 'toFloat32', int32: 'toInt32', uint32: 'toUint32', bool: 'toBool' } as const;

/**
 * The same numbers as another dtype: floats truncate towards zero, anything but 0 is true. float16 takes the nearest numbers, ties to
 * even, and infinity beyond 65504; gradients flow through it as they are.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  if (dtype !== 'float16') return pointwise(casts[dtype], x);
  return x.dtype === 'float16' ? x : pointwise('toFloat16', cast(x, 'float32'));
}

/** x * Phi(x), Phi the normal distribution function ('erf'), or its tanh approximation (Hendrycks & Gimpel 2016). */
export function gelu(x: Tensor, form: 'erf' | 'tanh' = 'erf'): Tensor {
  if (form === 'erf') return x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
}

/** Limits every element to [minimum, maximum]; either may be left out. */
export function clamp(x: Tensor, minimum?: number, maximum?: number): Tensor {
  if (minimum !== undefined && maximum !== undefined && !(minimum <= maximum))
    throw argumentError(
      'clamp',
      `minimum ${minimum}, maximum ${maximum}`,
      'The minimum must not exceed the maximum.',
    );
  const raised = minimum === undefined ? x : pointwise('max', x, minimum);
  return maximum === undefined ? raised : pointwise('min', raised, maximum);
}
