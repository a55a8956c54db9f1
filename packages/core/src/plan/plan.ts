/** Plan: kernels in order with slots for their buffers. Made once per graph structure, run with the data of every such graph. */

import { bytesPerElement, type DType, elementCount, type Kernel } from '@dmpo/kernels';
import { type Node, nextId } from '../graph.js';
import type { Storage } from '../storage.js';
import { type Collected, heldStorage } from './collect.js';
import { carrier } from './fuse.js';
import { copyKernel, makeKernels, type Work } from './kernels.js';
import { planMemory } from './memory.js';
import { Dependencies } from './schedule.js';

/** Where a buffer comes from when the plan runs. */
export type BufferRef =
  | { readonly from: 'slot'; readonly index: number }
  /** Memory that the graph's leaves hold. */
  | { readonly from: 'storage'; readonly index: number }
  /** Fresh memory for a requested tensor. */
  | { readonly from: 'root'; readonly index: number };

export interface Step {
  readonly kernel: Kernel;
  readonly inputs: readonly BufferRef[];
  readonly outputs: readonly BufferRef[];
  /** Positions in the graph's list of scalars. */
  readonly scalars: readonly number[];
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Slot into which each host array is uploaded. */
  readonly uploads: readonly { readonly host: number; readonly slot: number; readonly dtype: DType }[];
  readonly slotBytes: readonly number[];
  /** Device memory that intermediates take while the plan runs. */
  readonly peakBytes: number;
  /** What they would take if none were reused. */
  readonly intermediateBytes: number;
}

/** What a plan is asked to leave behind. */
export interface Request {
  readonly roots: readonly Node[];
  /** Update i writes the value of `values[i]` into storage `targets[i]` (its position in the graph's list). */
  readonly values: readonly Node[];
  readonly targets: readonly number[];
}

export function makePlan(graph: Collected, { roots, values, targets }: Request): Plan {
  const requested = new Map<Node, Storage | undefined>();
  for (const root of roots) if (!inMemoryBefore(carrier(root))) requested.set(carrier(root), undefined);
  values.forEach((value, i) => {
    const source = carrier(value);
    if (!inMemoryBefore(source) && !requested.has(source))
      requested.set(source, graph.storages[targets[i] as number]);
  });
  const works = makeKernels(graph.nodes, graph.positions, requested);
  const bindings = new Map<Node, BufferRef>();
  const hosts = new Map<Node, number>();
  const scalars = new Map<Node, number>();
  const leaves: Node[][] = graph.storages.map(() => []);
  for (const node of graph.nodes) {
    const held = heldStorage(node);
    if (held) {
      const index = graph.storages.indexOf(held);
      bindings.set(node, { from: 'storage', index });
      leaves[index]?.push(node);
    } else if (node.kind === 'host') hosts.set(node, hosts.size);
    else if (node.kind === 'scalar') scalars.set(node, scalars.size);
  }

  // What is asked for is written where it belongs if nothing stands in the way, else copied there at the end.
  const copies: { from: Node; to: BufferRef }[] = [];
  const snapshots: Work[] = [];
  const deliver = (value: Node, to: BufferRef, direct: boolean): void => {
    const source = carrier(value);
    if (direct && !inMemoryBefore(source) && !bindings.has(source)) bindings.set(source, to);
    else if (heldStorage(source)) {
      // The source itself may be updated by this plan: keep what it held before.
      // Nothing computes this node: it only names the copy's memory.
      const { shape, dtype } = source;
      const snapshot: Node = { kind: 'constant', id: nextId(), shape, dtype, value: 0 };
      snapshots.push(copyWork(source, snapshot));
      copies.push({ from: snapshot, to });
    } else copies.push({ from: source, to });
  };
  roots.forEach((root, index) => {
    deliver(root, { from: 'root', index }, true);
  });
  const dependencies = new Dependencies(works);
  values.forEach((value, i) => {
    const target = targets[i] as number;
    const producer = dependencies.producer(carrier(value));
    const direct =
      producer !== undefined &&
      !bindings.has(carrier(value)) &&
      mayWriteInto(producer, carrier(value), leaves[target] as Node[], dependencies);
    deliver(value, { from: 'storage', index: target }, direct);
  });
  const order = [...snapshots, ...dependencies.order()];

  const { slotOf, slotBytes, intermediateBytes } = assignSlots(order, hosts.keys(), copies, bindings);
  const ref = (node: Node): BufferRef =>
    bindings.get(node) ?? { from: 'slot', index: slotOf(node) as number };

  const steps: Step[] = order.map((work) => ({
    kernel: work.kernel,
    inputs: work.reads.map(ref),
    outputs: work.writes.map(ref),
    scalars: work.scalars.map((node) => scalars.get(node) as number),
  }));
  for (const { from, to } of copies)
    steps.push({
      kernel: copyKernel(from.dtype, elementCount(from.shape)),
      inputs: [ref(from)],
      outputs: [to],
      scalars: [],
    });

  return {
    steps,
    uploads: [...hosts].flatMap(([node, host]) => {
      const slot = slotOf(node);
      return slot === undefined ? [] : [{ host, slot, dtype: node.dtype }];
    }),
    slotBytes,
    peakBytes: slotBytes.reduce((sum, bytes) => sum + bytes, 0),
    intermediateBytes,
  };
}

interface Slots {
  /** The slot of a node that has no other memory; undefined for one that nobody reads or writes. */
  readonly slotOf: (node: Node) => number | undefined;
  readonly slotBytes: readonly number[];
  readonly intermediateBytes: number;
}

/** Slots for everything that has no memory yet, from the first kernel that writes it to the last that reads it. */
function assignSlots(
  order: readonly Work[],
  hosts: Iterable<Node>,
  copies: readonly { readonly from: Node }[],
  bindings: ReadonlyMap<Node, BufferRef>,
): Slots {
  const births = new Map<Node, number>();
  const deaths = new Map<Node, number>();
  for (const node of hosts) births.set(node, -1);
  order.forEach((work, step) => {
    for (const node of work.writes) births.set(node, step);
    for (const node of [...work.reads, ...work.writes]) deaths.set(node, step);
  });
  for (const { from } of copies) deaths.set(from, order.length);

  const owner = shareInPlace(order, births, deaths, bindings);
  const lifetimes = new Map<Node, { bytes: number; begin: number; end: number }>();
  let intermediateBytes = 0;
  for (const [node, begin] of births) {
    const end = deaths.get(node);
    if (bindings.has(node) || end === undefined) continue;
    const bytes = bytesOf(node);
    intermediateBytes += bytes;
    const life = lifetimes.get(owner(node));
    if (life) {
      life.begin = Math.min(life.begin, begin);
      life.end = Math.max(life.end, end);
    } else lifetimes.set(owner(node), { bytes, begin, end });
  }
  const memory = planMemory([...lifetimes.values()]);
  const slots = new Map([...lifetimes.keys()].map((node, i) => [node, memory.slotOf[i] as number]));
  return { slotOf: (node) => slots.get(owner(node)), slotBytes: memory.slotBytes, intermediateBytes };
}

const bytesOf = ({ shape, dtype }: Node) => bytesPerElement[dtype] * elementCount(shape);

const inMemoryBefore = (node: Node) => heldStorage(node) !== undefined || node.kind === 'host';

function copyWork(from: Node, to: Node): Work {
  return {
    kernel: copyKernel(from.dtype, elementCount(from.shape)),
    reads: [from],
    writes: [to],
    scalars: [],
    inPlace: [],
    age: 0,
  };
}

/**
 * True if the kernel may write its result straight into a storage: every other kernel that reads the storage can come before it,
 * and it reads the storage itself only element by element where it writes. Orders those readers before it.
 * @param leaves the nodes that stand for the storage
 */
function mayWriteInto(
  producer: Work,
  value: Node,
  leaves: readonly Node[],
  dependencies: Dependencies,
): boolean {
  const write = producer.writes.indexOf(value);
  const ownReads = [...producer.reads.keys()].filter((read) => leaves.includes(producer.reads[read] as Node));
  if (!ownReads.every((read) => producer.inPlace.some((pair) => pair[0] === read && pair[1] === write)))
    return false;
  const readers = leaves
    .flatMap((leaf) => dependencies.readers(leaf))
    .filter((reader) => reader !== producer);
  if (readers.some((reader) => dependencies.reaches(producer, reader))) return false;
  for (const reader of readers) dependencies.add(reader, producer);
  return true;
}

/** Lets a map write over an input that nobody needs afterwards. Returns the node whose slot each node uses. */
function shareInPlace(
  order: readonly Work[],
  births: ReadonlyMap<Node, number>,
  deaths: ReadonlyMap<Node, number>,
  bindings: ReadonlyMap<Node, BufferRef>,
): (node: Node) => Node {
  const before = new Map<Node, Node>();
  const owner = (node: Node): Node => {
    let first = node;
    for (let next = before.get(first); next; next = before.get(first)) first = next;
    return first;
  };
  order.forEach((work, step) => {
    const taken = new Set<Node>();
    for (const [read, write] of work.inPlace) {
      const [input, output] = [work.reads[read] as Node, work.writes[write] as Node];
      const dying = births.has(input) && deaths.get(input) === step;
      if (!dying || bindings.has(input) || bindings.has(output) || taken.has(input) || before.has(output))
        continue;
      if (bytesOf(input) !== bytesOf(output)) continue;
      taken.add(input);
      before.set(output, input);
    }
  });
  return owner;
}
