/**
 * Fusion: which nodes get memory of their own ("heads"), and which are computed inside the kernels that use them.
 *
 * A node becomes a head when it is asked for, when a structured kernel reads it, when padding reads it, when a costly value would
 * be computed again for every repetition of a broadcast, when several kernels would each compute it anew at more than trivial
 * cost, or when an expression would become too deep. Everything else disappears into the expression of its single user.
 */

import type { Node } from '../graph.js';
import { heldStorage, planSources, resolve } from './collect.js';

/** Nodes on the longest way from memory to the result of an expression. What people write as one expression stays below. */
const MAXIMUM_DEPTH = 64;

/** Nodes whose value lies in memory without any decision of ours. */
export function isBuffer(node: Node): boolean {
  return (
    heldStorage(node) !== undefined ||
    node.kind === 'host' ||
    node.kind === 'output' ||
    node.kind === 'reduce'
  );
}

/** The node whose memory a contiguous reader of `node` can use: reshapes do not move anything. */
export function carrier(node: Node): Node {
  let carrying = node;
  while (!isBuffer(carrying) && carrying.kind === 'movement' && carrying.movement.kind === 'reshape')
    carrying = resolve(carrying.source);
  return carrying;
}

/** @param forced nodes that must be heads: what was asked for, and what lowering found that it cannot do in one kernel */
export function chooseHeads(nodes: readonly Node[], forced: ReadonlySet<Node>): Set<Node> {
  const heads = new Set(forced);
  const force = (node: Node) => {
    if (!isBuffer(node)) heads.add(node);
  };
  const cost = costs(nodes);
  for (const [node, { depth }] of cost) if (depth === MAXIMUM_DEPTH) heads.add(node);
  /** The kernels that would compute a node if it is no head. */
  const users = new Map<Node, Set<Node>>();
  const addUsers = (node: Node, kernels: Iterable<Node>) => {
    const set = users.get(node) ?? new Set();
    for (const kernel of kernels) set.add(kernel);
    users.set(node, set);
  };

  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Node;
    if (heldStorage(node)) continue;
    const before = planSources(node);
    if (node.kind === 'output') {
      for (const source of before) force(carrier(source));
      continue;
    }
    if (node.kind === 'movement') {
      const base = belowMovements(node);
      if (node.movement.kind === 'pad') force(base);
      if (node.movement.kind === 'broadcast' && !(cost.get(base) as Cost).cheap) force(base);
    }
    const own = users.get(node);
    if (node.kind === 'reduce') heads.add(node);
    else if (own && own.size > 1 && !isBuffer(node) && !(cost.get(node) as Cost).cheap) heads.add(node);
    for (const source of before) addUsers(source, heads.has(node) ? [node] : (own ?? []));
  }
  return heads;
}

/** The node whose elements a chain of movements shows. */
export function belowMovements(node: Node): Node {
  let base = node;
  while (base.kind === 'movement' && !heldStorage(base)) base = resolve(base.source);
  return base;
}

interface Cost {
  readonly loads: number;
  readonly operations: number;
  readonly depth: number;
  /** Cheaper to compute again than to write to memory and read back. */
  readonly cheap: boolean;
}

/** Cost of computing each node from memory, as if nothing before it became a head. */
function costs(nodes: readonly Node[]): Map<Node, Cost> {
  const known = new Map<Node, Cost>();
  for (const node of nodes) {
    if (isBuffer(node)) {
      known.set(node, { loads: 1, operations: 0, depth: 0, cheap: true });
      continue;
    }
    let loads = 0;
    let operations = 0;
    let depth = 0;
    if (node.kind === 'pointwise') operations = expensive.has(node.op) ? 16 : 1;
    for (const source of planSources(node)) {
      const before = known.get(source) as Cost;
      loads += before.loads;
      operations += before.operations;
      // What reached the limit lies in memory.
      depth = Math.max(depth, before.depth % MAXIMUM_DEPTH);
    }
    known.set(node, { loads, operations, depth: depth + 1, cheap: loads <= 1 && operations <= 2 });
  }
  return known;
}

/** Operations that cost many times an addition. */
const expensive: ReadonlySet<string> = new Set([
  'exp',
  'log',
  'log1p',
  'pow',
  'sin',
  'cos',
  'tanh',
  'erf',
  'sigmoid',
  'softplus',
  'randomBits',
  'randomUniform',
  'randomNormal',
]);
