/** What a view amounts to once dimensions that continue each other are merged: the fewer dimensions, the longer the runs. */

import type { View } from './view.js';

/** One dimension of a merged view. */
export interface Dimension {
  readonly size: number;
  readonly stride: number;
  /** Valid coordinates; 0 and `size` where nothing is padded. */
  readonly begin: number;
  readonly end: number;
}

export type ViewLayout =
  /** No element of the view is valid. */
  | { readonly kind: 'zero' }
  /** One element for the whole index space. */
  | { readonly kind: 'uniform' }
  /** Elements in memory order. */
  | { readonly kind: 'contiguous' }
  /** `period` elements in memory order, again and again. */
  | { readonly kind: 'periodic'; readonly period: number; readonly dimensions: readonly Dimension[] }
  /** The innermost dimension is a row of `stride` elements in memory order, again and again; the others are any. */
  | { readonly kind: 'repeated'; readonly dimensions: readonly Dimension[] }
  | { readonly kind: 'strided'; readonly dimensions: readonly Dimension[] };

/** The layout of a view over an index space that has at least one element. */
export function viewLayout(view: View, shape: readonly number[]): ViewLayout {
  const dimensions = mergeDimensions(view, shape);
  if (dimensions === undefined) return { kind: 'zero' };
  if (dimensions.length === 0) return { kind: 'uniform' };
  if (dimensions.every(isWhole)) {
    const [{ stride }, inner] = dimensions;
    if (inner === undefined && stride === 0) return { kind: 'uniform' };
    if (inner === undefined && stride === 1) return { kind: 'contiguous' };
    if (dimensions.length === 2 && stride === 0 && inner.stride === 1) {
      return { kind: 'periodic', period: inner.size, dimensions };
    }
  }
  const [repeat, row] = dimensions.slice(-2);
  if (repeat.stride === 0 && row?.stride === 1 && isWhole(repeat) && isWhole(row)) {
    const repeated = {
      size: repeat.size * row.size,
      stride: row.size,
      begin: 0,
      end: repeat.size * row.size,
    };
    return { kind: 'repeated', dimensions: [...dimensions.slice(0, -2), repeated] };
  }
  return { kind: 'strided', dimensions };
}

/** The fewest dimensions that describe the view, outermost first; undefined if none of its elements is valid. */
export function mergeDimensions(view: View, shape: readonly number[]): Dimension[] | undefined {
  const dimensions: Dimension[] = [];
  for (const [d, size] of shape.entries()) {
    const [first, last] = view.valid?.[d] ?? [0, size];
    const begin = Math.max(first, 0);
    const end = Math.min(last, size);
    if (begin >= end) return undefined;
    if (size === 1) continue;
    const dimension = { size, stride: view.strides[d], begin, end };
    const outer = dimensions.at(-1);
    if (outer !== undefined && outer.stride === dimension.stride * size && isWhole(dimension)) {
      dimensions[dimensions.length - 1] = {
        size: outer.size * size,
        stride: dimension.stride,
        begin: outer.begin * size,
        end: outer.end * size,
      };
    } else {
      dimensions.push(dimension);
    }
  }
  return dimensions;
}

export function isWhole({ size, begin, end }: Dimension): boolean {
  return begin === 0 && end === size;
}
