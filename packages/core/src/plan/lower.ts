/** Lowering: the expression of a kernel from the nodes it computes. */

import { type DType, type Expression, type Instruction, isIdentityView } from '@dmpo/kernels';
import type { MovementNode, Node, Shape } from '../graph.js';
import { sameShape } from '../ops/axes.js';
import { planSources } from './collect.js';
import { belowMovements, isBuffer } from './fuse.js';
import { applyMovement, asView, type ShapedView, wholeBuffer } from './movement-view.js';

/** Devices bind at least this many buffers to a kernel; more would not run everywhere. */
export const MAXIMUM_BUFFERS = 8;

/** What a kernel computes, before it is known where its buffers lie. */
export interface Lowered {
  readonly shape: Shape;
  readonly expression: Expression;
  /** The node behind each input number. */
  readonly inputs: readonly Node[];
  /** The scalar node behind each scalar slot. */
  readonly scalars: readonly Node[];
}

/** The node that must become a head before lowering can succeed. */
export class NeedsHead {
  constructor(readonly node: Node) {}
}

/** The movements between a node and the kernel's index space, the nearest to the node first. */
interface Chain {
  readonly movement: MovementNode;
  readonly rest: Chain | undefined;
  readonly key: string;
}

export interface LowerOptions {
  /** Nodes that other kernels compute; they are loaded. */
  readonly isLoaded: (node: Node) => boolean;
  /** Inputs that the kernel has before those of the expression. */
  readonly operands?: readonly Node[];
  /** The node that an epilogue finds in the accumulator. */
  readonly accumulator?: Node;
}

/**
 * One kernel that computes `results` over `shape`.
 * @returns NeedsHead when a reshape has no single view
 */
export function lower(
  results: readonly Node[],
  shape: Shape,
  positions: ReadonlyMap<Node, number>,
  options: LowerOptions,
): Lowered | NeedsHead {
  const { isLoaded, operands = [], accumulator } = options;
  const instructions: Instruction[] = [];
  const inputs: Node[] = [...operands];
  const scalars: Node[] = [];
  const known = new Map<string, number>();

  const push = (instruction: Instruction): number => {
    const key = JSON.stringify(instruction);
    let position = known.get(key);
    if (position === undefined) {
      position = instructions.push(instruction) - 1;
      known.set(key, position);
    }
    return position;
  };
  const slot = (list: Node[], node: Node): number => {
    const at = list.indexOf(node, list === inputs ? operands.length : 0);
    return at >= 0 ? at : list.push(node) - 1;
  };

  const emitted = new Map<string, number | NeedsHead>();
  const emit = (node: Node, through: Chain | undefined): number | NeedsHead => {
    const chain = cancelsOut(node, through, shape) ? undefined : through;
    const key = `${positions.get(node)} ${chain?.key ?? ''}`;
    let position = emitted.get(key);
    if (position === undefined) {
      position = emitFresh(node, chain);
      emitted.set(key, position);
    }
    return position;
  };
  const emitFresh = (node: Node, chain: Chain | undefined): number | NeedsHead => {
    if (node === accumulator) return push({ op: 'accumulator', dtype: 'float32' });
    if (isBuffer(node) || isLoaded(node)) {
      const view = viewThrough(node, chain);
      if (view instanceof NeedsHead) return view;
      return push({ op: 'load', dtype: node.dtype, input: slot(inputs, node), view: asView(view) });
    }
    switch (node.kind) {
      case 'scalar':
        return push({ op: 'scalar', dtype: node.dtype, slot: slot(scalars, node) });
      case 'constant':
        return push({ op: 'constant', dtype: node.dtype, value: node.value });
      case 'index': {
        const view = viewThrough(node, chain);
        if (view instanceof NeedsHead) return view;
        return push({ op: 'index', dtype: 'int32', offset: view.offset, strides: view.strides });
      }
      case 'pointwise': {
        const args: number[] = [];
        for (const arg of planSources(node)) {
          const position = emit(arg, chain);
          if (position instanceof NeedsHead) return position;
          args.push(position);
        }
        return push({ op: node.op, dtype: node.dtype, args });
      }
      case 'movement': {
        const key = `${positions.get(node)},${chain?.key ?? ''}`;
        return emit(planSources(node)[0] as Node, { movement: node, rest: chain, key });
      }
      default:
        throw new TypeError(`a ${node.kind} node in an expression`);
    }
  };

  const positionsOfResults: number[] = [];
  for (const result of results) {
    const position = emit(result, undefined);
    if (position instanceof NeedsHead) return position;
    positionsOfResults.push(position);
  }
  return { shape, expression: { instructions, results: positionsOfResults }, inputs, scalars };
}

function viewThrough(node: Node, chain: Chain | undefined): ShapedView | NeedsHead {
  let view = wholeBuffer(node.shape);
  for (let link = chain; link; link = link.rest) {
    const next = applyMovement(view, link.movement);
    // What the movement reads becomes contiguous memory: then any movement of it has a view.
    if (!next) return new NeedsHead(planSources(link.movement)[0] as Node);
    view = next;
  }
  return view;
}

/** True if the movements lead from the node to the kernel's index space as if there were none. */
function cancelsOut(node: Node, chain: Chain | undefined, shape: Shape): boolean {
  if (!chain || !sameShape(node.shape, shape)) return false;
  const view = viewThrough(node, chain);
  return !(view instanceof NeedsHead) && isIdentityView(asView(view), shape);
}

/** Parts of an expression to be computed first, so that neither they nor the rest read more buffers than fit beside a result. */
export function splitPoints(result: Node, isLoaded: (node: Node) => boolean): Node[] {
  const parts: Node[] = [];
  const buffers = new Map<Node, ReadonlySet<Node>>();
  const visit = (node: Node): ReadonlySet<Node> => {
    let own = buffers.get(node);
    if (own) return own;
    if (isBuffer(node) || isLoaded(node)) own = new Set([node]);
    else {
      const operands = planSources(node);
      own = union(operands.map(visit));
      while (own.size >= MAXIMUM_BUFFERS) {
        const [largest] = operands.toSorted((a, b) => visit(b).size - visit(a).size);
        const part = belowMovements(largest as Node);
        parts.push(part);
        buffers.set(part, new Set([part]));
        buffers.set(largest as Node, new Set([part]));
        own = union(operands.map(visit));
      }
    }
    buffers.set(node, own);
    return own;
  };
  visit(result);
  return parts;
}

function union(sets: readonly ReadonlySet<Node>[]): Set<Node> {
  const all = new Set<Node>();
  for (const set of sets) for (const node of set) all.add(node);
  return all;
}

/** How a kernel reads one of its inputs: through identity views only, or in some other order. */
export function readsInPlace(lowered: Lowered, input: number): boolean {
  return lowered.expression.instructions.every(
    (instruction) =>
      instruction.op !== 'load' ||
      instruction.input !== input ||
      isIdentityView(instruction.view, lowered.shape),
  );
}

/** dtype of every input buffer of a lowered kernel. */
export const inputTypes = ({ inputs }: Lowered): DType[] => inputs.map((node) => node.dtype);
export const scalarTypes = ({ scalars }: Lowered): DType[] => scalars.map((node) => node.dtype);
