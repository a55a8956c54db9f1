/**
 * Reverse-mode differentiation as graph rewriting: gradients are ordinary tensors, so they fuse, plan and can be
 * differentiated again.
 */

import { currentAutocast, resumeAutocast } from './autocast.js';
import { argumentError, shapeError } from './errors.js';
import { type Call, type CheckpointNode, type Node, nextId, sources } from './graph.js';
import { sameShape } from './ops/axes.js';
import { constant } from './ops/constant.js';
import { alias, movementGradient } from './ops/movement.js';
import { pointwiseGradients } from './ops/pointwise-gradients.js';
import { reduceGradient } from './ops/reduce.js';
import { checkCurrent } from './plan/collect.js';
import type { Storage } from './storage.js';
import { Tensor } from './tensor.js';

type Inputs = Tensor | readonly Tensor[] | ReadonlyMap<string, Tensor>;

/** Gradients in the structure in which the inputs were given. */
export type Gradients<I extends Inputs> =
  I extends ReadonlyMap<string, Tensor>
    ? Map<string, Tensor>
    : I extends readonly Tensor[]
      ? { -readonly [position in keyof I]: Tensor }
      : Tensor;

/**
 * The gradient of a scalar loss with respect to tensors or parameters. Where the loss does not depend on an input, zeros.
 * @throws DmpoError SHAPE_MISMATCH if the loss has more than one element, BAD_ARGUMENT if it is not float32, STALE_PARAMETER if
 * it was computed from an input's value before an update
 */
export function grad<const I extends Inputs>(loss: Tensor | (() => Tensor), inputs: I): Gradients<I> {
  return valueAndGrad(typeof loss === 'function' ? loss : () => loss, inputs).grads;
}

/** The value of `fn` and its gradient. */
export function valueAndGrad<const I extends Inputs>(
  fn: () => Tensor,
  inputs: I,
): { value: Tensor; grads: Gradients<I> } {
  const value = fn();
  if (value.shape.some((size) => size !== 1))
    throw shapeError('grad', [value.shape], 'The loss must have one element: use mean() or sum().');
  if (value.dtype !== 'float32')
    throw argumentError('grad', `a loss of dtype ${value.dtype}`, 'The loss must be float32.');
  const named = inputs instanceof Map;
  const list: readonly Tensor[] =
    inputs instanceof Tensor ? [inputs] : named ? [...inputs.values()] : (inputs as readonly Tensor[]);
  const found = vjp([value], [constant(1, value.shape)], list);
  refuseEarlierValues(
    value.node,
    list.flatMap(({ node }, i) => (node.kind === 'storage' && !found[i] ? [node.storage] : [])),
  );
  const full = found.map((gradient, i) => gradient ?? constant(0, (list[i] as Tensor).shape));
  const grads =
    inputs instanceof Tensor
      ? full[0]
      : named
        ? new Map([...inputs.keys()].map((name, i) => [name, full[i]]))
        : full;
  return { value, grads: grads as Gradients<I> };
}

/** A loss that was computed from what a parameter held before its update does not depend on it now: zeros would mislead. */
function refuseEarlierValues(loss: Node, storages: readonly Storage[]): void {
  const seen = new Set<Node>();
  const stack = storages.length > 0 ? [loss] : [];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.kind === 'storage' && storages.includes(node.storage)) checkCurrent(node.storage, node.version);
    stack.push(...sources(node));
  }
}

/**
 * Runs `fn` now and once more inside the backward pass, so that its intermediates need no memory in between.
 * Gradients flow to `inputs` and to whatever parameters `fn` uses. `fn` must do the same both times: draw random tensors before.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  const { node } = fn(...inputs);
  const precision = currentAutocast();
  return new Tensor({
    kind: 'checkpoint',
    id: nextId(),
    shape: node.shape,
    dtype: node.dtype,
    source: node,
    // Fresh nodes for the inputs make everything inside a second computation instead of the first one kept.
    recompute: () => resumeAutocast(precision, () => fn(...inputs.map(alias))),
  });
}

/** sum_i <cotangents[i], outputs[i]> differentiated by each input; undefined where nothing depends on it. */
export function vjp(
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  inputs: readonly Tensor[],
): (Tensor | undefined)[] {
  const targets = inputs.map((input) => input.node);
  const gradients = new Map<Node, Tensor>();
  const dependsOn = dependence(targets);
  outputs.forEach((output, i) => {
    accumulate(gradients, output.node, cotangents[i] as Tensor);
  });
  backward(
    outputs.map((output) => output.node),
    gradients,
    dependsOn,
  );
  return targets.map((target) => gradients.get(target));
}

/** Tells whether a node is computed from one of the targets. Nothing older than all of them can be. */
function dependence(targets: readonly Node[]): (node: Node) => boolean {
  const oldest = targets.reduce((id, target) => Math.min(id, target.id), Number.POSITIVE_INFINITY);
  const known = new Map<Node, boolean>(targets.map((target) => [target, true]));
  return (root) => {
    const stack = [root];
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      if (known.has(node)) stack.pop();
      else if (node.id < oldest || node.kind === 'detach') known.set(node, false);
      else {
        const before = sources(node);
        const unknown = before.filter((source) => !known.has(source));
        if (unknown.length > 0) stack.push(...unknown);
        else
          known.set(
            node,
            before.some((source) => known.get(source)),
          );
      }
    }
    return known.get(root) === true;
  };
}

/** Passes gradients from the roots towards the inputs, youngest node first, so that each is complete when it is passed on. */
function backward(
  roots: readonly Node[],
  gradients: Map<Node, Tensor>,
  dependsOn: (node: Node) => boolean,
  since = 0,
): void {
  for (const node of youngestFirst(roots, dependsOn, since)) {
    if (node.kind === 'output') {
      // All outputs of a call are differentiated together, when its first one comes, the last in this order.
      const { call } = node;
      if (call.outputs.find((output) => gradients.has(output)) === node)
        callBackward(call, gradients, dependsOn);
      continue;
    }
    const gradient = gradients.get(node);
    if (!gradient) continue;
    if (node.kind === 'checkpoint') checkpointBackward(node, gradient, gradients, dependsOn);
    else
      nodeGradients(node, gradient).forEach((part, i) => {
        pass(gradients, dependsOn, sources(node)[i] as Node, part);
      });
  }
}

function nodeGradients(
  node: Exclude<Node, { kind: 'output' | 'checkpoint' }>,
  gradient: Tensor,
): readonly (Tensor | undefined)[] {
  switch (node.kind) {
    case 'pointwise': {
      const args = node.args.map((arg) => new Tensor(arg)) as [Tensor, Tensor, Tensor];
      return pointwiseGradients[node.op](gradient, new Tensor(node), ...args);
    }
    case 'movement':
      return [movementGradient(node, gradient)];
    case 'reduce':
      return [reduceGradient(node, gradient)];
    case 'storage':
    case 'host':
    case 'scalar':
    case 'constant':
    case 'index':
    case 'detach':
      return [];
    default:
      return node satisfies never;
  }
}

function callBackward(call: Call, gradients: Map<Node, Tensor>, dependsOn: (node: Node) => boolean): void {
  const parts = call.gradient(
    call.outputs.map((output) => gradients.get(output)),
    call.inputs.map((input) => new Tensor(input)),
    call.outputs.map((output) => new Tensor(output)),
  );
  call.inputs.forEach((input, i) => {
    pass(gradients, dependsOn, input, parts[i]);
  });
}

/** The recomputed nodes are younger than all others: their gradients are complete before the older nodes go on. */
function checkpointBackward(
  node: CheckpointNode,
  gradient: Tensor,
  gradients: Map<Node, Tensor>,
  dependsOn: (node: Node) => boolean,
): void {
  const since = nextId();
  const again = node.recompute().node;
  accumulate(gradients, again, gradient);
  backward([again], gradients, dependsOn, since);
}

function pass(
  gradients: Map<Node, Tensor>,
  dependsOn: (node: Node) => boolean,
  to: Node,
  part: Tensor | undefined,
): void {
  if (part && dependsOn(to)) accumulate(gradients, to, part);
}

function accumulate(gradients: Map<Node, Tensor>, node: Node, part: Tensor): void {
  if (!sameShape(part.shape, node.shape))
    throw new TypeError(`gradient of shape [${part.shape}] for a ${node.kind} of shape [${node.shape}]`);
  const sum = gradients.get(node);
  gradients.set(node, sum ? sum.add(part) : part);
}

/** Every node that leads from the roots to the inputs, youngest first; only those created after `since`. */
function youngestFirst(roots: readonly Node[], dependsOn: (node: Node) => boolean, since: number): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || node.id < since || !dependsOn(node)) continue;
    seen.add(node);
    stack.push(...sources(node));
  }
  return [...seen].sort((a, b) => b.id - a.id);
}
