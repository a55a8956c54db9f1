/** Random views of every kind over a common shape, and an independent reading of one. */

import fc from 'fast-check';
import { elementCount, type View } from '../view.js';
import { size } from './properties.js';

const dimensionKinds = [
  'plain',
  'plain',
  'broadcast',
  'reversed',
  'stepped',
  'padded',
  'empty padding',
] as const;
type DimensionKind = (typeof dimensionKinds)[number];

/** A view, and how many elements the buffer behind it has. */
export interface ViewCase {
  readonly view: View;
  readonly elements: number;
}

/** A shape of up to four dimensions and `count` views over it, each with its own order of axes in memory. */
export function viewCases(count: number): fc.Arbitrary<{ shape: number[]; inputs: ViewCase[] }> {
  return fc.array(size(1, 7), { maxLength: 4 }).chain((shape) => {
    const rank = shape.length;
    const dimensions = fc.array(fc.constantFrom(...dimensionKinds), { minLength: rank, maxLength: rank });
    const order = fc.shuffledSubarray(
      shape.map((_, d) => d),
      { minLength: rank },
    );
    const one = fc
      .record({ dimensions, order })
      .map((kinds) => viewCase(shape, kinds.dimensions, kinds.order));
    return fc.array(one, { minLength: count, maxLength: count }).map((inputs) => ({ shape, inputs }));
  });
}

/** What the view reads, element by element in row-major order, computed by recursion over the dimensions. */
export function readThroughView(data: ArrayLike<number>, view: View, shape: readonly number[]): number[] {
  const visit = (d: number, address: number, valid: boolean): number[] => {
    if (d === shape.length) return [valid ? data[address] : 0];
    const [begin, end] = view.valid?.[d] ?? [0, shape[d]];
    return Array.from({ length: shape[d] }, (_, i) =>
      visit(d + 1, address + i * view.strides[d], valid && i >= begin && i < end),
    ).flat();
  };
  return visit(0, view.offset, true);
}

/** Elements in memory along a dimension, the step between them, the first one, and the coordinates that are not padding. */
function dimension(
  kind: DimensionKind,
  length: number,
): { held: number; step: number; first: number; valid: [number, number] } {
  const all: [number, number] = [0, length];
  switch (kind) {
    case 'plain':
      return { held: length, step: 1, first: 0, valid: all };
    case 'broadcast':
      return { held: 1, step: 0, first: 0, valid: all };
    case 'reversed':
      return { held: length, step: -1, first: length - 1, valid: all };
    case 'stepped':
      return { held: 2 * length, step: 2, first: 1, valid: all };
    case 'padded': {
      const before = Math.min(1, length - 1);
      const held = Math.max(1, length - before - 2);
      return { held, step: 1, first: -before, valid: [before, before + held] };
    }
    case 'empty padding':
      // All of the dimension is padding once in a while; the address leaves the buffer.
      return { held: 1, step: 5, first: -5, valid: length > 3 ? [1, 2] : [0, 0] };
    default:
      return kind satisfies never;
  }
}

function viewCase(
  shape: readonly number[],
  kinds: readonly DimensionKind[],
  order: readonly number[],
): ViewCase {
  const dimensions = shape.map((length, d) => dimension(kinds[d], length));
  const strides = new Array<number>(shape.length).fill(0);
  let offset = 0;
  let stride = 1;
  for (const d of order) {
    const { held, step, first } = dimensions[d];
    strides[d] = step * stride;
    offset += first * stride;
    stride *= held;
  }
  const padded = kinds.some((kind) => kind === 'padded' || kind === 'empty padding');
  const view: View = padded
    ? { offset, strides, valid: dimensions.map(({ valid }) => valid) }
    : { offset, strides };
  return { view, elements: elementCount(dimensions.map(({ held }) => held)) };
}
