/**
 * Collecting a graph: what the requested tensors are computed from, sources first, and a key that says everything about the
 * graph's structure and nothing about its numbers. Graphs with one key run one plan on different data.
 */

import { type Device, DmpoError, kernelKey } from '@dmpo/kernels';
import { formatShape } from '../errors.js';
import {
  type Call,
  type CheckpointNode,
  type DetachNode,
  type HostNode,
  type Node,
  sources,
} from '../graph.js';
import type { Storage } from '../storage.js';

/** The graph below some tensors, and the data it holds, in the order in which plans refer to it. */
export interface Collected {
  readonly key: string;
  /** Every node, after all that it is computed from. Plans name a node by its position here. */
  readonly nodes: readonly Node[];
  readonly positions: ReadonlyMap<Node, number>;
  readonly storages: readonly Storage[];
  readonly hosts: readonly HostNode[];
  readonly scalars: readonly number[];
}

/** Nodes that only matter to gradients stand for their source. */
export function resolve(node: Node): Node {
  let resolved = node;
  while (isTransparent(resolved)) resolved = resolved.source;
  return resolved;
}

function isTransparent(node: Node): node is DetachNode | CheckpointNode {
  return node.kind === 'detach' || node.kind === 'checkpoint';
}

/** The memory that already holds a node's value. */
export function heldStorage(node: Node): Storage | undefined {
  return node.kind === 'storage' || (node.storage && !node.storage.freed) ? node.storage : undefined;
}

/** What a node is computed from in a plan: nothing where its value is already held. */
export function planSources(node: Node): readonly Node[] {
  if (heldStorage(node)) return [];
  const direct = sources(node);
  return direct.some(isTransparent) ? direct.map(resolve) : direct;
}

/** Collects what `roots` and the `values` of updates need. Update i writes `targets[i]`. */
export function collect(
  roots: readonly Node[],
  values: readonly Node[],
  targets: readonly Storage[],
  device: Device,
): Collected {
  const positions = sourcesFirst([...roots, ...values]);
  const nodes = [...positions.keys()];
  const storages: Storage[] = [];
  const storagePositions = new Map<Storage, number>();
  const hosts: HostNode[] = [];
  const scalars: number[] = [];
  const calls = new Map<Call, number>();
  const parts: string[] = [];

  const storagePosition = (storage: Storage): number => {
    let position = storagePositions.get(storage);
    if (position === undefined) {
      if (storage.device !== device)
        throw new DmpoError(
          'WRONG_DEVICE',
          `A tensor of shape ${formatShape(storage.shape)} lives on device ${storage.device.name}, not on ${device.name}.`,
          'Read it with data() and make a new tensor, or use setDevice().',
        );
      position = storages.push(storage) - 1;
      storagePositions.set(storage, position);
    }
    return position;
  };

  const describe = (node: Node): string => {
    const held = heldStorage(node);
    if (held) {
      if (node.kind === 'storage') checkCurrent(node.storage, node.version);
      return `storage ${storagePosition(held)} ${node.dtype} ${node.shape}`;
    }
    const from = planSources(node).map((source) => positions.get(source));
    switch (node.kind) {
      case 'host':
        hosts.push(node);
        return `host ${node.dtype} ${node.shape}`;
      case 'scalar':
        scalars.push(node.value);
        return `scalar ${node.dtype} ${node.shape}`;
      case 'constant':
        return `constant ${node.value} ${node.dtype} ${node.shape}`;
      case 'index':
        return `index ${node.shape}`;
      case 'pointwise':
        return `${node.op} ${from}`;
      case 'movement': {
        const { movement } = node;
        const detail =
          'axes' in movement
            ? movement.axes
            : 'begin' in movement
              ? movement.begin
              : 'before' in movement
                ? movement.before
                : '';
        return `${movement.kind} ${detail} ${node.shape} ${from}`;
      }
      case 'reduce':
        return `${node.reduction} ${node.axes} ${from}`;
      case 'output': {
        const known = calls.get(node.call);
        if (known !== undefined) return `output ${known} ${node.index}`;
        calls.set(node.call, calls.size);
        return `${kernelKey(node.call.kernel)} ${from} ${node.index}`;
      }
      case 'storage':
      case 'detach':
      case 'checkpoint':
        throw new TypeError(`a ${node.kind} node in a plan`);
      default:
        return node satisfies never;
    }
  };

  for (const node of nodes) parts.push(describe(node));
  parts.push(`roots ${roots.map((root) => positions.get(root))}`);
  parts.push(
    `updates ${values.map((value, i) => `${positions.get(value)}>${storagePosition(targets[i] as Storage)}`)}`,
  );
  return { key: parts.join('\n'), nodes, positions, storages, hosts, scalars };
}

/** Refuses memory that is not any more what a graph read of it. */
export function checkCurrent(storage: Storage, version: number): void {
  if (storage.freed)
    throw new DmpoError(
      'DISPOSED',
      `A tensor depends on disposed memory of shape ${formatShape(storage.shape)}.`,
      'Realize it before disposing what it depends on.',
    );
  if (storage.version !== version)
    throw new DmpoError(
      'STALE_PARAMETER',
      `A tensor depends on the value that a parameter of shape ${formatShape(storage.shape)} had before its last update.`,
      'Realize the tensor before the update, together with it (the realize option of step()), or compute it again.',
    );
}

/** Everything that the roots are computed from, numbered so that every node comes after its sources. */
function sourcesFirst(roots: readonly Node[]): Map<Node, number> {
  const positions = new Map<Node, number>();
  const stack = [...roots].reverse();
  for (let node = stack.at(-1); node; node = stack.at(-1)) {
    const depth = stack.length;
    if (!positions.has(node)) {
      const before = planSources(node);
      for (let i = before.length - 1; i >= 0; i--) {
        const source = before[i] as Node;
        if (!positions.has(source)) stack.push(source);
      }
      if (stack.length > depth) continue;
      positions.set(node, positions.size);
    }
    stack.pop();
  }
  return positions;
}
