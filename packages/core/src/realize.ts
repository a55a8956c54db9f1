/** Running graphs: the one executor. Looks a graph's plan up by its structure, binds this graph's data, submits it. */

import {
  type Command,
  type Device,
  type DeviceBuffer,
  DmpoError,
  elementCount,
  openDevice as openKernelDevice,
} from '@dmpo/kernels';
import { argumentError, formatShape } from './errors.js';
import type { Node } from './graph.js';
import type { Parameter } from './parameter.js';
import { type Collected, collect, heldStorage, resolve } from './plan/collect.js';
import { type BufferRef, makePlan, type Plan } from './plan/plan.js';
import { Storage } from './storage.js';
import type { Tensor, TensorData } from './tensor.js';

/** Plans kept; the one unused for longest goes first. A training program has a handful. */
const MAXIMUM_PLANS = 64;

let device: Device | undefined;
const plans = new Map<string, Plan>();
const statistics = { runs: 0, plansMade: 0 };
let lastPlan: Plan | undefined;

/**
 * Opens a device and makes it the current one, on which tensors are computed and parameters live.
 * @param name 'auto' takes the fastest that this machine has; the environment variable DMPO_DEVICE overrides 'auto'
 */
export async function openDevice(...[name, options]: Parameters<typeof openKernelDevice>): Promise<Device> {
  device = await openKernelDevice(name, options);
  return device;
}

/** Makes an open device the current one. */
export function setDevice(next: Device): void {
  device = next;
}

/** @throws DmpoError NO_DEVICE before any was opened */
export function currentDevice(): Device {
  if (!device)
    throw new DmpoError('NO_DEVICE', 'No device is open.', "Call `await openDevice('auto')` first.");
  return device;
}

/** Computes tensors, in one plan. Returns when the work is submitted; only `data` and `item` wait for it. */
export function realize(...tensors: readonly Tensor[]): void {
  update([], tensors);
}

/**
 * Computes new values of parameters, and other tensors, all from the parameters' present values in one plan, and writes the new
 * values in place. Afterwards a tensor that depends on the earlier values throws STALE_PARAMETER when it is asked for.
 * A parameter that lives on another device than the current one moves: its new value, which cannot depend on the present one then,
 * is written on the current device.
 */
export function update(
  updates: Iterable<readonly [Parameter, Tensor]>,
  alsoRealize: readonly Tensor[] = [],
): void {
  const pairs = [...updates];
  for (const [parameter, value] of pairs)
    if (String(parameter.shape) !== String(value.shape) || value.dtype !== parameter.dtype)
      throw argumentError(
        'update',
        `a ${value.dtype} value of shape ${formatShape(value.shape)} for a parameter of shape ${formatShape(parameter.shape)}`,
        'They must be alike.',
      );
  if (new Set(pairs.map(([parameter]) => parameter)).size !== pairs.length)
    throw argumentError('update', 'one parameter twice', 'Give one new value per parameter.');
  const roots = [
    ...new Set(alsoRealize.map((tensor) => resolve(tensor.node)).filter((node) => !checkedStorage(node))),
  ];
  if (roots.length === 0 && pairs.length === 0) return;
  const moved: Storage[] = [];
  const targets: Storage[] = [];
  try {
    for (const [{ storage }] of pairs) {
      const staying = storage.device === currentDevice();
      const target = staying ? storage : new Storage(currentDevice(), storage.shape, storage.dtype);
      targets.push(target);
      if (!staying) moved.push(target);
    }
    run(
      roots,
      pairs.map(([, value]) => resolve(value.node)),
      targets,
    );
  } catch (error) {
    for (const storage of moved) storage.free();
    throw error;
  }
  pairs.forEach(([parameter], i) => {
    const target = targets[i] as Storage;
    target.version++;
    parameter.moveTo(target);
  });
}

/** The memory of a node that needs no computing; refuses memory that was updated since. */
function checkedStorage(node: Node): Storage | undefined {
  const storage = heldStorage(node);
  if (storage && node.kind === 'storage' && (storage.freed || storage.version !== node.version))
    collect([node], [], [], storage.device);
  return storage;
}

function run(roots: readonly Node[], values: readonly Node[], targets: readonly Storage[]): void {
  const on = currentDevice();
  const graph = collect(roots, values, targets, on);
  const plan = planFor(graph, roots, values, targets);
  const slots: DeviceBuffer[] = [];
  const results: Storage[] = [];
  try {
    for (const bytes of plan.slotBytes) slots.push(on.allocate(bytes));
    for (const { shape, dtype } of roots) results.push(new Storage(on, shape, dtype));
    for (const { host, slot, dtype } of plan.uploads) {
      const { data } = graph.hosts[host] as Collected['hosts'][number];
      on.write(slots[slot] as DeviceBuffer, dtype, data);
    }
    on.submit(
      plan.steps.map((step): Command => {
        const buffer = (ref: BufferRef) => {
          if (ref.from === 'slot') return slots[ref.index] as DeviceBuffer;
          return ((ref.from === 'root' ? results : graph.storages)[ref.index] as Storage).buffer;
        };
        return {
          kernel: step.kernel,
          inputs: step.inputs.map(buffer),
          outputs: step.outputs.map(buffer),
          scalars: step.scalars.map((position) => graph.scalars[position] as number),
        };
      }),
    );
  } catch (error) {
    for (const result of results) result.free();
    throw error;
  } finally {
    // A device recycles freed memory only behind the commands that use it.
    for (const slot of slots) on.free(slot);
  }
  roots.forEach((root, i) => {
    if (root.kind !== 'storage') root.storage = results[i] as Storage;
  });
}

function planFor(
  graph: Collected,
  roots: readonly Node[],
  values: readonly Node[],
  targets: readonly Storage[],
): Plan {
  statistics.runs++;
  const known = plans.get(graph.key);
  const plan =
    known ??
    makePlan(graph, {
      roots,
      values,
      targets: targets.map((target) => graph.storages.indexOf(target)),
    });
  if (!known) statistics.plansMade++;
  // The most recently used stands last.
  plans.delete(graph.key);
  plans.set(graph.key, plan);
  if (plans.size > MAXIMUM_PLANS) plans.delete(plans.keys().next().value as string);
  lastPlan = plan;
  return plan;
}

/** The plan that was run last, and how often a plan was made or found: for tests, benchmarks and the curious. */
export function planStatistics(): { runs: number; plansMade: number; last: Plan | undefined } {
  return { ...statistics, last: lastPlan };
}

/** Reads a realized node. */
export async function readStorage(node: Node): Promise<TensorData> {
  const storage = heldStorage(resolve(node));
  if (!storage)
    throw new DmpoError(
      'DISPOSED',
      'The tensor was disposed while it was read.',
      'Keep it until data() has resolved.',
    );
  const { dtype, shape } = storage;
  const data = await storage.device.read(storage.buffer, dtype, elementCount(shape));
  return dtype === 'bool' ? Uint8Array.from(data) : data;
}
