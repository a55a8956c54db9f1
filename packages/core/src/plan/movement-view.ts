/** Movements as views: which strided view of a buffer a chain of movements amounts to, where one view suffices. */

import { contiguousStrides, type View } from '@dmpo/kernels';
import type { MovementNode, Shape } from '../graph.js';

type Range = readonly [begin: number, end: number];

/** A view together with the shape it gives. */
export interface ShapedView {
  readonly shape: Shape;
  readonly offset: number;
  readonly strides: readonly number[];
  readonly valid: readonly Range[];
}

export function wholeBuffer(shape: Shape): ShapedView {
  return { shape, offset: 0, strides: contiguousStrides(shape), valid: shape.map((size) => [0, size]) };
}

/** The view's description for a kernel; ranges that exclude nothing are left out. */
export function asView({ shape, offset, strides, valid }: ShapedView): View {
  const full = valid.every(([begin, end], d) => begin === 0 && end === shape[d]);
  return full ? { offset, strides } : { offset, strides, valid };
}

/** The view after one more movement, or undefined when no single view can say it (a reshape across strides). */
export function applyMovement(view: ShapedView, { movement, shape }: MovementNode): ShapedView | undefined {
  const { offset, strides, valid } = view;
  switch (movement.kind) {
    case 'permute':
      return {
        shape,
        offset,
        strides: movement.axes.map((axis) => strides[axis] as number),
        valid: movement.axes.map((axis) => valid[axis] as Range),
      };
    case 'broadcast':
      return {
        shape,
        offset,
        strides: strides.map((stride, d) => (view.shape[d] === shape[d] ? stride : 0)),
        valid: valid.map(([begin, end], d) =>
          view.shape[d] === shape[d] ? [begin, end] : [0, end > begin ? (shape[d] as number) : 0],
        ),
      };
    case 'slice':
      return {
        shape,
        offset: offset + dot(movement.begin, strides),
        strides,
        valid: valid.map(([begin, end], d) => {
          const from = movement.begin[d] as number;
          return [Math.max(0, begin - from), Math.min(shape[d] as number, end - from)];
        }),
      };
    case 'pad':
      return {
        shape,
        offset: offset - dot(movement.before, strides),
        strides,
        valid: valid.map(([begin, end], d) => {
          const before = movement.before[d] as number;
          return [begin + before, end + before];
        }),
      };
    case 'reshape':
      return reshapeView(view, shape);
    default:
      return movement satisfies never;
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, d) => sum + value * (b[d] as number), 0);
}

/**
 * Old and new axes are matched in runs of equal products. A run that is one axis on both sides keeps its range; any other run
 * must be free of padding and evenly strided.
 */
function reshapeView(view: ShapedView, shape: Shape): ShapedView | undefined {
  const isFull = (d: number) => {
    const [begin, end] = view.valid[d] as Range;
    return begin === 0 && end === view.shape[d];
  };
  const old = [...view.shape.keys()].filter((d) => view.shape[d] !== 1);
  if (![...view.shape.keys()].every((d) => view.shape[d] !== 1 || isFull(d))) return undefined;
  const fresh = [...shape.keys()].filter((d) => shape[d] !== 1);
  const strides = new Array<number>(shape.length).fill(0);
  const valid = shape.map((size): Range => [0, size]);

  let [oldAt, newAt] = [0, 0];
  while (oldAt < old.length) {
    const [oldBegin, newBegin] = [oldAt, newAt];
    let oldSize = view.shape[old[oldAt++] as number] as number;
    let newSize = shape[fresh[newAt++] as number] as number;
    while (oldSize !== newSize) {
      if (oldSize < newSize) oldSize *= view.shape[old[oldAt++] as number] as number;
      else newSize *= shape[fresh[newAt++] as number] as number;
    }
    const oldRun = old.slice(oldBegin, oldAt);
    const newRun = fresh.slice(newBegin, newAt);
    const last = oldRun[oldRun.length - 1] as number;
    if (oldRun.length === 1 && newRun.length === 1) {
      strides[newRun[0] as number] = view.strides[last] as number;
      valid[newRun[0] as number] = view.valid[last] as Range;
      continue;
    }
    const even = oldRun.every((d, i) => {
      const next = oldRun[i + 1];
      return (
        next === undefined ||
        view.strides[d] === (view.shape[next] as number) * (view.strides[next] as number)
      );
    });
    if (!even || !oldRun.every(isFull)) return undefined;
    let stride = view.strides[last] as number;
    for (const d of newRun.reverse()) {
      strides[d] = stride;
      stride *= shape[d] as number;
    }
  }
  return { shape, offset: view.offset, strides, valid };
}
