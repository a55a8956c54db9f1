/** Strided views: how a kernel that walks an index space finds each element of one of its inputs. */

/**
 * Element (i_0, ..., i_r) of the index space reads `buffer[offset + sum_d i_d * strides[d]]`, or 0 where some i_d
 * lies outside `valid[d]` (padding). Stride 0 broadcasts, a negative stride walks backwards. Only coordinates inside
 * `valid` are ever dereferenced, so the affine address of a padded element may lie outside the buffer.
 */
export interface View {
  readonly offset: number;
  readonly strides: readonly number[];
  /** Half-open range per dimension; absent means everything is valid. */
  readonly valid?: readonly (readonly [begin: number, end: number])[];
}

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Row-major strides of a contiguous array of this shape. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d] as number;
  }
  return strides;
}

/** True when the view reads the elements of the index space in memory order, without offset, broadcast or padding. */
export function isIdentityView(view: View, shape: readonly number[]): boolean {
  if (view.offset !== 0 || view.valid !== undefined) return false;
  const strides = contiguousStrides(shape);
  return strides.every((stride, d) => shape[d] === 1 || view.strides[d] === stride);
}
