// Copies that bring operands into the order in which the register tiles of gemm-tile.ts read them.

import { TILE_COLUMNS } from './gemm-tile';
import { transpose4x4 } from './simd';

/**
 * Panel of B from rows: destination[k][8] = source[k][0..columns), zero beyond `columns` (1 to 8).
 * Rows of the source are `stride` bytes apart.
 */
export function packPanel(source: usize, stride: usize, destination: usize, depth: i32, columns: i32): void {
  if (columns == TILE_COLUMNS) {
    for (let k = 0; k < depth; k++) {
      const low = v128.load(source);
      const high = v128.load(source, 16);
      v128.store(destination, low);
      v128.store(destination, high, 16);
      source += stride;
      destination += 32;
    }
    return;
  }
  for (let k = 0; k < depth; k++) {
    for (let column = 0; column < TILE_COLUMNS; column++) {
      const at = <usize>(column << 2);
      store<f32>(destination + at, column < columns ? load<f32>(source + at) : 0);
    }
    source += stride;
    destination += 32;
  }
}

/**
 * Panel of B from columns: destination[k][8] = source[0..columns)[k], zero beyond `columns` (1 to 8).
 * Columns of B, the rows of the source, are `stride` bytes apart.
 */
export function packPanelTransposed(
  source: usize,
  stride: usize,
  destination: usize,
  depth: i32,
  columns: i32,
): void {
  transpose(source, stride, destination, 32, columns, depth);
  if (columns == TILE_COLUMNS) return;
  for (let k = 0; k < depth; k++) {
    for (let column = columns; column < TILE_COLUMNS; column++) {
      store<f32>(destination + <usize>(column << 2), 0);
    }
    destination += 32;
  }
}

/**
 * destination[column][row] = source[row][column]; strides in bytes. Reads and writes exactly rows x columns
 * floats.
 */
export function transpose(
  source: usize,
  sourceStride: usize,
  destination: usize,
  destinationStride: usize,
  rows: i32,
  columns: i32,
): void {
  const wholeRows = rows & ~3;
  const wholeColumns = columns & ~3;
  for (let row = 0; row < wholeRows; row += 4) {
    const from = source + <usize>row * sourceStride;
    const to = destination + <usize>(row << 2);
    for (let column = 0; column < wholeColumns; column += 4) {
      transpose4x4(
        from + <usize>(column << 2),
        sourceStride,
        to + <usize>column * destinationStride,
        destinationStride,
      );
    }
  }
  for (let row = 0; row < rows; row++) {
    const from = source + <usize>row * sourceStride;
    const to = destination + <usize>(row << 2);
    for (let column = row < wholeRows ? wholeColumns : 0; column < columns; column++) {
      store<f32>(to + <usize>column * destinationStride, load<f32>(from + <usize>(column << 2)));
    }
  }
}

/** Copies `count` floats. */
export function copyFloats(source: usize, destination: usize, count: i32): void {
  for (; count >= 4; count -= 4) {
    v128.store(destination, v128.load(source));
    source += 16;
    destination += 16;
  }
  for (; count > 0; count--) {
    store<f32>(destination, load<f32>(source));
    source += 4;
    destination += 4;
  }
}

/** Sets `count` floats to zero. */
export function clearFloats(destination: usize, count: i32): void {
  for (; count >= 4; count -= 4) {
    v128.store(destination, f32x4.splat(0));
    destination += 16;
  }
  for (; count > 0; count--) {
    store<f32>(destination, 0);
    destination += 4;
  }
}
