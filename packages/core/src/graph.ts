/** Nodes of the lazy graph: what a tensor is before anything is computed. Nodes are immutable but for `storage`. */

import type { DType, Kernel, PointwiseOp } from '@dmpo/kernels';
import type { Storage } from './storage.js';
import type { Tensor } from './tensor.js';

export type Shape = readonly number[];

interface NodeBase {
  /** Creation order. A node is always younger than what it is computed from. */
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The node's value on a device, once somebody asked for it. */
  storage?: Storage;
}

export type Node =
  | StorageNode
  | HostNode
  | ScalarNode
  | ConstantNode
  | IndexNode
  | PointwiseNode
  | MovementNode
  | ReduceNode
  | OutputNode
  | DetachNode
  | CheckpointNode;

/** Device memory that somebody owns, as it was at `version`. */
export interface StorageNode extends NodeBase {
  readonly kind: 'storage';
  readonly storage: Storage;
  readonly version: number;
  /** Whether disposing the tensor frees the memory. A parameter's memory is freed by the parameter only. */
  readonly owned: boolean;
}

/** Numbers on the host; uploaded by the plan that reads them. */
export interface HostNode extends NodeBase {
  readonly kind: 'host';
  readonly data: ArrayLike<number>;
}

/** One number everywhere. It is data: another value runs the same plan. */
export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar';
  readonly value: number;
}

/** One number everywhere, part of the program's structure: it may be simplified away, and another value is another plan. */
export interface ConstantNode extends NodeBase {
  readonly kind: 'constant';
  readonly value: number;
}

/** Every element's own row-major position, as int32. */
export interface IndexNode extends NodeBase {
  readonly kind: 'index';
}

/** An operation of the pointwise table on operands of the node's own shape. */
export interface PointwiseNode extends NodeBase {
  readonly kind: 'pointwise';
  readonly op: PointwiseOp;
  readonly args: readonly Node[];
}

export type Movement =
  | { readonly kind: 'reshape' }
  | { readonly kind: 'permute'; readonly axes: readonly number[] }
  | { readonly kind: 'broadcast' }
  | { readonly kind: 'slice'; readonly begin: readonly number[] }
  | { readonly kind: 'pad'; readonly before: readonly number[] };

/** The same elements seen in another arrangement. The node's shape completes the movement's description. */
export interface MovementNode extends NodeBase {
  readonly kind: 'movement';
  readonly movement: Movement;
  readonly source: Node;
}

/** A reduction over `axes` (ascending), which are dropped from the shape. */
export interface ReduceNode extends NodeBase {
  readonly kind: 'reduce';
  readonly reduction: 'sum' | 'max' | 'mean';
  readonly axes: readonly number[];
  readonly source: Node;
}

/** One result of a structured kernel. */
export interface OutputNode extends NodeBase {
  readonly kind: 'output';
  readonly call: Call;
  readonly index: number;
}

/** A structured kernel (matmul, convolution, ...) applied to operands that lie contiguous in memory. */
export interface Call {
  readonly id: number;
  readonly kernel: Kernel;
  readonly inputs: readonly Node[];
  readonly outputs: readonly OutputNode[];
  /** Given the gradient of each output (undefined where nothing depends on it), the gradient of each input. */
  readonly gradient: CallGradient;
}

export type CallGradient = (
  cotangents: readonly (Tensor | undefined)[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
) => readonly (Tensor | undefined)[];

/** The same value, with no gradient. */
export interface DetachNode extends NodeBase {
  readonly kind: 'detach';
  readonly source: Node;
}

/** The same value; its gradient is found by running `recompute` again, so that nothing inside need be kept. */
export interface CheckpointNode extends NodeBase {
  readonly kind: 'checkpoint';
  readonly source: Node;
  readonly recompute: () => Tensor;
}

let counter = 0;

export function nextId(): number {
  return ++counter;
}

/** What a node is computed from. */
export function sources(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'storage':
    case 'host':
    case 'scalar':
    case 'constant':
    case 'index':
      return [];
    case 'pointwise':
      return node.args;
    case 'movement':
    case 'reduce':
    case 'detach':
    case 'checkpoint':
      return [node.source];
    case 'output':
      return node.call.inputs;
    default:
      return node satisfies never;
  }
}
