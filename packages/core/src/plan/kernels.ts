/**
 * Kernels of a graph: heads become map and reduce kernels, maps that feed each other become one kernel with several outputs, and a
 * map that is the only reader of a matmul or convolution becomes its epilogue. Norms whose result is only wanted in float16 store it so.
 */

import { type DType, type Epilogue, type Expression, elementCount, type Kernel } from '@dmpo/kernels';
import type { Call, Node } from '../graph.js';
import { sameShape } from '../ops/axes.js';
import type { Storage } from '../storage.js';
import { collapse } from './collapse.js';
import { heldStorage, planSources, resolve } from './collect.js';
import { carrier, chooseHeads, isBuffer } from './fuse.js';
import {
  inputTypes,
  type Lowered,
  lower,
  MAXIMUM_BUFFERS,
  NeedsHead,
  readsInPlace,
  scalarTypes,
  splitPoints,
} from './lower.js';

/** Maps that become one kernel at most. */
const MAXIMUM_MAPS = 16;

/** A kernel with the nodes it reads and writes. */
export interface Work {
  readonly kernel: Kernel;
  readonly reads: readonly Node[];
  readonly writes: readonly Node[];
  readonly scalars: readonly Node[];
  /** Reads that may share memory with the output of the same number of elements: pairs [read, write]. */
  readonly inPlace: readonly (readonly [read: number, write: number])[];
  /** Creation order of the youngest node: the order in which the program was written. */
  readonly age: number;
}

/** Nodes whose value must lie in memory of its own, with the storage that is to be updated with it, if any. */
export type Requested = ReadonlyMap<Node, Storage | undefined>;

export function makeKernels(
  nodes: readonly Node[],
  positions: ReadonlyMap<Node, number>,
  requested: Requested,
): Work[] {
  const forced = new Set([...requested.keys()].filter((node) => !isBuffer(node)));
  // Each round of failures makes more nodes heads, so this ends.
  for (;;) {
    const heads = chooseHeads(nodes, forced);
    const lowered = new Map<Node, Lowered>();
    const missing = new Set<Node>();
    for (const head of heads) {
      const outcome = lowerHead(head, positions, heads);
      if ('missing' in outcome) for (const node of outcome.missing) missing.add(node);
      else lowered.set(head, outcome);
    }
    if (missing.size === 0) return assemble(nodes, positions, requested, lowered);
    for (const node of missing) forced.add(node);
  }
}

function assemble(
  nodes: readonly Node[],
  positions: ReadonlyMap<Node, number>,
  requested: Requested,
  lowered: ReadonlyMap<Node, Lowered>,
): Work[] {
  const isLoaded = (node: Node) => lowered.has(node);
  const calls = new Set<Call>();
  for (const node of nodes) if (node.kind === 'output' && !heldStorage(node)) calls.add(node.call);
  const graph = new Readers(lowered, calls);
  const groups = mergeMaps(lowered, graph, requested);

  const works: Work[] = [];
  const absorbed = new Set<Set<Node>>();
  for (const call of calls) {
    const epilogue = findEpilogue(call, lowered, graph, groups, requested, absorbed);
    if (epilogue) absorbed.add(groups.get(epilogue) as Set<Node>);
    works.push(callWork(call, epilogue, positions, isLoaded));
  }
  for (const [head, single] of lowered) {
    if (head.kind === 'reduce') works.push(reduceWork(head, single));
  }
  for (const group of new Set(groups.values())) {
    if (absorbed.has(group)) continue;
    const work = mapWork(group, lowered, graph, requested, positions, isLoaded);
    if (work instanceof NeedsHead) throw new TypeError('a group of maps that is no kernel');
    if (work) works.push(work);
  }
  return works;
}

/** One head as a kernel of its own, of no more buffers than devices bind; or what must become heads before it can be. */
function lowerHead(
  head: Node,
  positions: ReadonlyMap<Node, number>,
  heads: ReadonlySet<Node>,
): Lowered | { readonly missing: readonly Node[] } {
  const result = head.kind === 'reduce' ? (planSources(head)[0] as Node) : head;
  const isLoaded = (node: Node) => node !== head && heads.has(node);
  const lowered = lower([result], result.shape, positions, { isLoaded });
  if (lowered instanceof NeedsHead) return { missing: [lowered.node] };
  if (lowered.inputs.length < MAXIMUM_BUFFERS) return lowered;
  return { missing: splitPoints(result, isLoaded) };
}

/** Who reads what: heads and calls by the node in memory that they read. */
class Readers {
  readonly #heads = new Map<Node, Node[]>();
  readonly #calls = new Map<Node, Call[]>();

  constructor(lowered: ReadonlyMap<Node, Lowered>, calls: ReadonlySet<Call>) {
    for (const [head, { inputs }] of lowered) for (const input of inputs) append(this.#heads, input, head);
    for (const call of calls)
      for (const input of call.inputs) append(this.#calls, carrier(resolve(input)), call);
  }

  headsOf(node: Node): readonly Node[] {
    return this.#heads.get(node) ?? [];
  }

  callsOf(node: Node): readonly Call[] {
    return this.#calls.get(node) ?? [];
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Joins maps over one index space that read each other in place, where no third kernel lies between them. */
function mergeMaps(
  lowered: ReadonlyMap<Node, Lowered>,
  graph: Readers,
  requested: Requested,
): Map<Node, Set<Node>> {
  const groups = new Map<Node, Set<Node>>();
  for (const head of lowered.keys()) if (head.kind !== 'reduce') groups.set(head, new Set([head]));
  const ordered = [...groups.keys()].sort((a, b) => a.id - b.id);
  for (const head of ordered) {
    const own = lowered.get(head) as Lowered;
    own.inputs.forEach((input, i) => {
      const other = groups.get(input);
      const group = groups.get(head) as Set<Node>;
      if (!other || other === group || !sameShape(input.shape, head.shape) || !readsInPlace(own, i)) return;
      const merged = new Set([...other, ...group]);
      if (merged.size > MAXIMUM_MAPS || buffersOf(merged, lowered, graph, requested) > MAXIMUM_BUFFERS)
        return;
      if (hoists(head, merged, graph) || leavesAndReturns(merged, graph, groups)) return;
      for (const member of merged) groups.set(member, merged);
    });
  }
  return groups;
}

/** Distinct buffers that a kernel computing all these heads touches; an update in place is one buffer. */
function buffersOf(
  group: ReadonlySet<Node>,
  lowered: ReadonlyMap<Node, Lowered>,
  graph: Readers,
  requested: Requested,
): number {
  const reads = new Set<Node>();
  const elsewhere = new Set<Node>();
  for (const head of group) {
    const own = lowered.get(head) as Lowered;
    own.inputs.forEach((input, i) => {
      if (group.has(input)) return;
      reads.add(input);
      if (!readsInPlace(own, i)) elsewhere.add(input);
    });
  }
  const read = new Set([...reads].filter((node) => !elsewhere.has(node)).map(heldStorage));
  const separate = writesOf(group, graph, requested).filter((head) => {
    const target = requested.get(head);
    return target === undefined || !read.has(target);
  });
  return reads.size + separate.length;
}

/** The members of a group that somebody outside it needs. */
function writesOf(group: ReadonlySet<Node>, graph: Readers, requested: Requested): Node[] {
  return [...group].filter(
    (head) =>
      requested.has(head) ||
      graph.callsOf(head).length > 0 ||
      graph.headsOf(head).some((reader) => !group.has(reader)),
  );
}

/**
 * True if an older kernel outside the group waits for a member: the head would be computed before its time and lie in memory until
 * then. Backward passes, and what checkpoints compute again, stay where they are needed.
 */
function hoists(head: Node, group: ReadonlySet<Node>, graph: Readers): boolean {
  return [...group].some(
    (member) =>
      graph.headsOf(member).some((reader) => reader.id < head.id && !group.has(reader)) ||
      graph.callsOf(member).some((call) => call.id < head.id),
  );
}

/** True if a kernel outside the group needs a member and is needed by another: one kernel could then not do them all. */
function leavesAndReturns(
  group: ReadonlySet<Node>,
  graph: Readers,
  groups: ReadonlyMap<Node, ReadonlySet<Node>>,
): boolean {
  const youngest = Math.max(...[...group].map((head) => head.id));
  const seen = new Set<Node>();
  const stack: Node[] = [];
  const leave = (written: Node) => {
    for (const head of graph.headsOf(written))
      if (!group.has(head)) stack.push(...(groups.get(head) ?? [head]));
    for (const call of graph.callsOf(written)) stack.push(...call.outputs);
  };
  for (const head of group) leave(head);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (group.has(node)) return true;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const head of graph.headsOf(node)) {
      if (group.has(head)) return true;
      if (head.id <= youngest || (groups.get(head)?.size ?? 1) > 1)
        stack.push(...(groups.get(head) ?? [head]));
    }
    for (const call of graph.callsOf(node)) if (call.id <= youngest) stack.push(...call.outputs);
  }
  return false;
}

const takesEpilogue: ReadonlySet<Kernel['kind']> = new Set(['matmul', 'conv2d', 'conv2dInputGrad']);

const storesFloat16: ReadonlySet<Kernel['kind']> = new Set(['groupNorm', 'layerNorm']);

/** The single map that reads nothing of a call but its result, each element where it stands, and that the kernel can do itself. */
function findEpilogue(
  call: Call,
  lowered: ReadonlyMap<Node, Lowered>,
  graph: Readers,
  groups: ReadonlyMap<Node, ReadonlySet<Node>>,
  requested: Requested,
  absorbed: ReadonlySet<ReadonlySet<Node>>,
): Node | undefined {
  const [output] = call.outputs;
  const { kind } = call.kernel;
  const isCapable = takesEpilogue.has(kind) || storesFloat16.has(kind);
  if (!output || !isCapable || requested.has(output) || heldStorage(output)) return undefined;
  const [reader, ...others] = graph.headsOf(output);
  if (!reader || others.length > 0 || graph.callsOf(output).length > 0) return undefined;
  const group = groups.get(reader);
  if (group?.size !== 1 || absorbed.has(group) || !reader.dtype.startsWith('float')) return undefined;
  const own = lowered.get(reader) as Lowered;
  if (storesFloat16.has(kind) && !isConversion(own.expression)) return undefined;
  const fits =
    elementCount(reader.shape) === elementCount(output.shape) &&
    readsInPlace(own, own.inputs.indexOf(output)) &&
    own.inputs.length + call.inputs.length <= MAXIMUM_BUFFERS;
  return fits ? reader : undefined;
}

/** Whether an expression does nothing but round what it loads to float16. */
function isConversion({ instructions }: Expression): boolean {
  return instructions.length === 2 && instructions[1]?.op === 'toFloat16';
}

function callWork(
  call: Call,
  epilogueHead: Node | undefined,
  positions: ReadonlyMap<Node, number>,
  isLoaded: (node: Node) => boolean,
): Work {
  const operands = call.inputs.map((input) => carrier(resolve(input)));
  if (!epilogueHead)
    return {
      kernel: call.kernel,
      reads: operands,
      writes: call.outputs,
      scalars: [],
      inPlace: [],
      age: call.id,
    };
  if (storesFloat16.has(call.kernel.kind))
    return {
      kernel: { ...call.kernel, resultType: 'float16' } as Kernel,
      reads: operands,
      writes: [epilogueHead, ...call.outputs.slice(1)],
      scalars: [],
      inPlace: [],
      age: epilogueHead.id,
    };
  const lowered = lower([epilogueHead], epilogueHead.shape, positions, {
    isLoaded: (node) => node !== epilogueHead && isLoaded(node),
    operands,
    accumulator: call.outputs[0] as Node,
  });
  if (lowered instanceof NeedsHead) throw new TypeError('an epilogue that is no kernel');
  const { shape, expression } = collapse(lowered.shape, lowered.expression);
  const epilogue: Epilogue = { shape, expression };
  const kernel = {
    ...call.kernel,
    inputs: inputTypes(lowered),
    scalars: scalarTypes(lowered),
    epilogue,
  } as Kernel;
  return {
    kernel,
    reads: lowered.inputs,
    writes: [epilogueHead],
    scalars: lowered.scalars,
    inPlace: [],
    age: epilogueHead.id,
  };
}

function reduceWork(head: Node & { kind: 'reduce' }, lowered: Lowered): Work {
  const { shape, expression, axes } = collapse(lowered.shape, lowered.expression, head.axes);
  return {
    kernel: {
      kind: 'reduce',
      reduction: head.reduction,
      inputs: inputTypes(lowered),
      scalars: scalarTypes(lowered),
      shape,
      axes,
      expression,
    },
    reads: lowered.inputs,
    writes: [head],
    scalars: lowered.scalars,
    inPlace: [],
    age: head.id,
  };
}

function mapWork(
  group: ReadonlySet<Node>,
  lowered: ReadonlyMap<Node, Lowered>,
  graph: Readers,
  requested: Requested,
  positions: ReadonlyMap<Node, number>,
  isLoaded: (node: Node) => boolean,
): Work | NeedsHead | undefined {
  const writes = writesOf(group, graph, requested);
  const [first] = writes;
  if (!first) return undefined;
  const all =
    writes.length === 1 && group.size === 1
      ? (lowered.get(first) as Lowered)
      : lower(writes, first.shape, positions, { isLoaded: (node) => !group.has(node) && isLoaded(node) });
  if (all instanceof NeedsHead) return all;
  const { shape, expression } = collapse(all.shape, all.expression);
  const inPlace = all.inputs.flatMap((_, read) =>
    readsInPlace(all, read) ? writes.map((_, write) => [read, write] as const) : [],
  );
  return {
    kernel: { kind: 'map', inputs: inputTypes(all), scalars: scalarTypes(all), shape, expression },
    reads: all.inputs,
    writes,
    scalars: all.scalars,
    inPlace,
    age: Math.max(...writes.map((head) => head.id)),
  };
}

/** A kernel that copies `elements` elements as they are. */
export function copyKernel(dtype: DType, elements: number): Kernel {
  const shape = [elements];
  const view = { offset: 0, strides: [1] };
  return {
    kind: 'map',
    inputs: [dtype],
    scalars: [],
    shape,
    expression: { instructions: [{ op: 'load', dtype, input: 0, view }], results: [0] },
  };
}
