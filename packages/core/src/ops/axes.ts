/** Axes and broadcasting rules shared by the operations. */

import { argumentError, formatShape, shapeError } from '../errors.js';
import type { Shape } from '../graph.js';

/** An axis of a shape of `rank` dimensions as a number from 0; negative ones count from the end. */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank)
    throw argumentError(
      operation,
      `axis ${axis} of a tensor of rank ${rank}`,
      `Use an axis from ${-rank} to ${rank - 1}.`,
    );
  return normalized;
}

/** Ascending distinct axes; all of them when none are given. */
export function normalizeAxes(
  operation: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  const normalized = list.map((axis) => normalizeAxis(operation, axis, rank)).sort((a, b) => a - b);
  if (new Set(normalized).size !== normalized.length)
    throw argumentError(operation, `axes ${formatShape(list)} name one axis twice`, 'Name each axis once.');
  return normalized;
}

/** The shape that NumPy's rule gives to operands used together. */
export function broadcastShapes(operation: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    shape.forEach((size, d) => {
      const at = d + rank - shape.length;
      if (size === 1 || size === result[at]) return;
      if (result[at] !== 1)
        throw shapeError(operation, shapes, 'Sizes must be equal or 1, aligned at the last axis.');
      result[at] = size;
    });
  }
  return result;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}

export function checkShape(operation: string, shape: Shape): Shape {
  if (!shape.every((size) => Number.isInteger(size) && size > 0))
    throw argumentError(operation, `shape ${formatShape(shape)}`, 'Every size must be a positive integer.');
  return shape;
}
