/**
 * Tensor: what a user holds. An operation makes a node of a lazy graph and computes nothing; `realize`, `data` and `item`
 * plan and run what is needed. Operations never change or consume their operands.
 */

import type { DType } from '@dmpo/kernels';
import { DmpoError, formatShape } from './errors.js';
import { type Node, nextId, type Shape } from './graph.js';
import { gather } from './ops/gather.js';
import { matmul } from './ops/matmul.js';
import * as movement from './ops/movement.js';
import { cast, clamp, gelu, pointwise } from './ops/pointwise.js';
import * as reduction from './ops/reduce.js';
import { logSoftmax, softmax } from './ops/softmax.js';
import { heldStorage, resolve } from './plan/collect.js';
import { readStorage, realize } from './realize.js';

/** Numbers take the dtype of the tensor they meet and travel as data: another number never recompiles anything. */
export type TensorLike = Tensor | number;

export type TensorData = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

type Axes = number | readonly number[];

const shapeArgument = (shape: readonly (number | Shape)[]): Shape => shape.flat();

export class Tensor {
  #node: Node | undefined;

  /** Tensors are made by operations and by `tensor()`, `zeros()`, ..., not by calling this. */
  constructor(node?: Node) {
    this.#node = node;
  }

  /** The node of the graph that this tensor stands for. */
  get node(): Node {
    if (!this.#node) throw new TypeError('a tensor without a node');
    return this.#node;
  }

  get shape(): Shape {
    return this.node.shape;
  }

  get dtype(): DType {
    return this.node.dtype;
  }

  // Pointwise arithmetic, broadcasting as NumPy does.
  add(other: TensorLike): Tensor {
    return pointwise('add', this, other);
  }
  sub(other: TensorLike): Tensor {
    return pointwise('sub', this, other);
  }
  mul(other: TensorLike): Tensor {
    return pointwise('mul', this, other);
  }
  div(other: TensorLike): Tensor {
    return pointwise('div', this, other);
  }
  pow(other: TensorLike): Tensor {
    return pointwise('pow', this, other);
  }
  minimum(other: TensorLike): Tensor {
    return pointwise('min', this, other);
  }
  maximum(other: TensorLike): Tensor {
    return pointwise('max', this, other);
  }
  neg(): Tensor {
    return pointwise('neg', this);
  }
  abs(): Tensor {
    return pointwise('abs', this);
  }
  sign(): Tensor {
    return pointwise('sign', this);
  }
  floor(): Tensor {
    return pointwise('floor', this);
  }
  ceil(): Tensor {
    return pointwise('ceil', this);
  }
  square(): Tensor {
    return pointwise('mul', this, this);
  }
  reciprocal(): Tensor {
    return pointwise('div', 1, this);
  }
  clamp(minimum?: number, maximum?: number): Tensor {
    return clamp(this, minimum, maximum);
  }

  // Elementary functions of float32.
  exp(): Tensor {
    return pointwise('exp', this);
  }
  log(): Tensor {
    return pointwise('log', this);
  }
  log1p(): Tensor {
    return pointwise('log1p', this);
  }
  sqrt(): Tensor {
    return pointwise('sqrt', this);
  }
  rsqrt(): Tensor {
    return pointwise('rsqrt', this);
  }
  sin(): Tensor {
    return pointwise('sin', this);
  }
  cos(): Tensor {
    return pointwise('cos', this);
  }
  tanh(): Tensor {
    return pointwise('tanh', this);
  }
  erf(): Tensor {
    return pointwise('erf', this);
  }
  sigmoid(): Tensor {
    return pointwise('sigmoid', this);
  }
  /** log(1 + exp(x)), stable for every x. */
  softplus(): Tensor {
    return pointwise('softplus', this);
  }
  /** log(sigmoid(x)) = -softplus(-x), stable for every x. */
  logSigmoid(): Tensor {
    return this.neg().softplus().neg();
  }
  /** x * sigmoid(x) */
  silu(): Tensor {
    return this.mul(this.sigmoid());
  }
  relu(): Tensor {
    return pointwise('max', this, 0);
  }
  gelu(form: 'erf' | 'tanh' = 'erf'): Tensor {
    return gelu(this, form);
  }

  // Comparison gives bool; every comparison with NaN is false but `ne`.
  lt(other: TensorLike): Tensor {
    return pointwise('lt', this, other);
  }
  le(other: TensorLike): Tensor {
    return pointwise('le', this, other);
  }
  gt(other: TensorLike): Tensor {
    return pointwise('lt', other, this);
  }
  ge(other: TensorLike): Tensor {
    return pointwise('le', other, this);
  }
  eq(other: TensorLike): Tensor {
    return pointwise('eq', this, other);
  }
  ne(other: TensorLike): Tensor {
    return pointwise('ne', this, other);
  }
  logicalAnd(other: Tensor): Tensor {
    return pointwise('and', this, other);
  }
  logicalOr(other: Tensor): Tensor {
    return pointwise('or', this, other);
  }
  logicalNot(): Tensor {
    return pointwise('not', this);
  }

  /** The same numbers as another dtype: floats truncate towards zero, anything but 0 is true; float16 takes the nearest. */
  cast(dtype: DType): Tensor {
    return cast(this, dtype);
  }

  // Reductions over the given axes, or over all.
  sum(axes?: Axes, keepDims = false): Tensor {
    return reduction.sum(this, axes, keepDims);
  }
  mean(axes?: Axes, keepDims = false): Tensor {
    return reduction.mean(this, axes, keepDims);
  }
  max(axes?: Axes, keepDims = false): Tensor {
    return reduction.max(this, axes, keepDims);
  }
  min(axes?: Axes, keepDims = false): Tensor {
    return reduction.min(this, axes, keepDims);
  }
  variance(axes?: Axes, keepDims = false, options: { unbiased?: boolean } = {}): Tensor {
    return reduction.variance(this, axes, keepDims, options);
  }
  /** Position of the largest element along an axis, the first of equals, as int32. */
  argmax(axis: number): Tensor {
    return reduction.argmax(this, axis);
  }
  logsumexp(axes?: Axes, keepDims = false): Tensor {
    return reduction.logsumexp(this, axes, keepDims);
  }
  softmax(axis = -1): Tensor {
    return softmax(this, axis);
  }
  logSoftmax(axis = -1): Tensor {
    return logSoftmax(this, axis);
  }

  // Movements cost nothing: kernels read through them.
  /** One size may be -1: it takes what is left. */
  reshape(...shape: readonly (number | Shape)[]): Tensor {
    return movement.reshape(this, shapeArgument(shape));
  }
  permute(...axes: readonly (number | Shape)[]): Tensor {
    return movement.permute(this, shapeArgument(axes));
  }
  /** Swaps the last two axes. */
  transpose(): Tensor {
    return movement.transpose(this);
  }
  broadcastTo(shape: Shape): Tensor {
    return movement.broadcastTo(this, shape);
  }
  slice(begin: readonly number[], end: readonly number[]): Tensor {
    return movement.slice(this, begin, end);
  }
  sliceAxis(axis: number, begin: number, end?: number): Tensor {
    return movement.sliceAxis(this, axis, begin, end);
  }
  pad(amounts: readonly (readonly [before: number, after: number])[]): Tensor {
    return movement.pad(this, amounts);
  }
  squeeze(axis?: number): Tensor {
    return movement.squeeze(this, axis);
  }
  unsqueeze(axis: number): Tensor {
    return movement.unsqueeze(this, axis);
  }
  split(parts: number | readonly number[], axis: number): Tensor[] {
    return movement.split(this, parts, axis);
  }
  upsampleNearest(scale = 2): Tensor {
    return movement.upsampleNearest(this, scale);
  }

  /** Matrix product of the last two axes; leading axes broadcast. A transposed operand costs nothing. */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }
  /** Rows of this [rows, columns] table: int32 indices [...] -> [..., columns]. */
  gather(indices: Tensor): Tensor {
    return gather(this, indices);
  }

  /**
   * The same value, through which no gradient flows. Detaching a realized tensor also forgets what it was computed from, so that
   * a loop that goes on from its own results keeps one turn only; the memory is shared, and freed when either is disposed.
   */
  detach(): Tensor {
    const { node } = this;
    const storage = heldStorage(resolve(node));
    if (storage && node.kind !== 'storage') {
      const { shape, dtype, version } = storage;
      return new Tensor({ kind: 'storage', id: nextId(), shape, dtype, storage, version, owned: true });
    }
    return new Tensor({ kind: 'detach', id: nextId(), shape: node.shape, dtype: node.dtype, source: node });
  }

  /**
   * Computes the tensor if need be and reads it. bool comes as Uint8Array, float16 as Float32Array; float32 comes as Float64Array
   * from the reference device, which computes in float64.
   */
  async data(): Promise<TensorData> {
    realize(this);
    return readStorage(this.node);
  }

  /** The number in a tensor of one element. */
  async item(): Promise<number> {
    const data = await this.data();
    if (data.length !== 1)
      throw new DmpoError(
        'NOT_A_SCALAR',
        `item(): the tensor has shape ${formatShape(this.shape)}.`,
        'Use data(), or reduce it first.',
      );
    return data[0] as number;
  }

  /** Frees the device memory of a realized tensor; it is computed again if it is asked for again. */
  dispose(): void {
    const node = resolve(this.node);
    if (node.kind !== 'storage') {
      node.storage?.free();
      delete node.storage;
    } else if (node.owned) node.storage.free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor(${this.dtype} ${formatShape(this.shape)})`;
  }
}
