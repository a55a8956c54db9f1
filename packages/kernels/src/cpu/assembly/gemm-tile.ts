// The two register tiles that do all the multiplying of matmul and convolution: 4 rows by 8 columns of
// output.
//
// 4 x 8 keeps 8 accumulators, 2 vectors of B and 4 broadcasts of A in 14 of the 15 vector registers V8 hands
// out on x86-64. V8 issues all loads of a loop body before its multiply-adds, so unrolling the loop over k
// would spill: one k per iteration is the fastest form, and needs no remainder loop.

import { loadLanes, madd, storeLanes } from './simd';

/** Rows of output in a tile. */
export const TILE_ROWS: i32 = 4;

/** Columns of output in a tile: the width of a packed panel of B. */
export const TILE_COLUMNS: i32 = 8;

/** Bytes of one entry of a table of rows: the addresses of a row of A and of its row of C. */
export const ROW_ENTRY: i32 = 8;

/**
 * C[rowCount][8 columns] = or += A * B, where a row of A is `segmentCount` runs of `length` contiguous
 * floats.
 *
 * rows: table of entries (address in A, address in C), filled up to a multiple of 4 with rows that can be
 * read; only `rowCount` rows are written. segments: table of byte offsets of the runs, the same for all rows.
 * b: packed panel, 8 floats for each k, runs in order. column: byte offset of the panel inside the rows of C;
 * `columns` (1 to 8) of it are written.
 */
export function multiplyRows(
  rows: usize,
  rowCount: i32,
  segments: usize,
  segmentCount: i32,
  length: i32,
  b: usize,
  column: usize,
  columns: i32,
  accumulate: bool,
): void {
  const zero = f32x4.splat(0);
  let table = rows;
  for (let row = 0; row < rowCount; row += TILE_ROWS) {
    let panel = b;
    let c00 = zero;
    let c01 = zero;
    let c10 = zero;
    let c11 = zero;
    let c20 = zero;
    let c21 = zero;
    let c30 = zero;
    let c31 = zero;

    for (let s = 0; s < segmentCount; s++) {
      const offset = load<usize>(segments + <usize>(s << 2));
      let a0 = load<usize>(table) + offset;
      let a1 = load<usize>(table, 8) + offset;
      let a2 = load<usize>(table, 16) + offset;
      let a3 = load<usize>(table, 24) + offset;
      for (let t = length; t > 0; t--) {
        const b0 = v128.load(panel);
        const b1 = v128.load(panel, 16);
        const x0 = v128.load32_splat(a0);
        c00 = madd(x0, b0, c00);
        c01 = madd(x0, b1, c01);
        const x1 = v128.load32_splat(a1);
        c10 = madd(x1, b0, c10);
        c11 = madd(x1, b1, c11);
        const x2 = v128.load32_splat(a2);
        c20 = madd(x2, b0, c20);
        c21 = madd(x2, b1, c21);
        const x3 = v128.load32_splat(a3);
        c30 = madd(x3, b0, c30);
        c31 = madd(x3, b1, c31);
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        panel += 32;
      }
    }

    writeRow(load<usize>(table, 4) + column, c00, c01, columns, accumulate);
    if (rowCount - row > 1) writeRow(load<usize>(table, 12) + column, c10, c11, columns, accumulate);
    if (rowCount - row > 2) writeRow(load<usize>(table, 20) + column, c20, c21, columns, accumulate);
    if (rowCount - row > 3) writeRow(load<usize>(table, 28) + column, c30, c31, columns, accumulate);
    table += TILE_ROWS * ROW_ENTRY;
  }
}

/**
 * Any number of rows times the packed panels of columns firstColumn (a multiple of 8) to lastColumn,
 * `panelBytes` apart. `rows` is filled up to a multiple of 4 entries; the other parameters are those of
 * multiplyRows. A panel is used for all rows before the next, so that it stays in the first-level cache.
 */
export function multiplyPanels(
  rows: usize,
  rowCount: i32,
  segments: usize,
  segmentCount: i32,
  length: i32,
  panels: usize,
  panelBytes: usize,
  firstColumn: i32,
  lastColumn: i32,
  accumulate: bool,
): void {
  for (let column = firstColumn; column < lastColumn; column += TILE_COLUMNS) {
    const columns = min(TILE_COLUMNS, lastColumn - column);
    multiplyRows(
      rows,
      rowCount,
      segments,
      segmentCount,
      length,
      panels,
      (<usize>column) << 2,
      columns,
      accumulate,
    );
    panels += panelBytes;
  }
}

/**
 * Writes a table of `count` rows at constant distances, filled up to a multiple of 4 by repeating the last.
 */
export function fillRows(rows: usize, count: i32, a: usize, aStride: usize, c: usize, cStride: usize): void {
  const padded = (count + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
  for (let row = 0; row < padded; row++) {
    const source = min(row, count - 1);
    const entry = rows + <usize>(row * ROW_ENTRY);
    store<usize>(entry, a + <usize>source * aStride);
    store<usize>(entry, c + <usize>source * cStride, 4);
  }
}

/**
 * C[rowCount][8 columns] = or += sum over pixels of a[pixel][row] * b[pixel][column].
 *
 * a: pixels `aStep` bytes apart; each next 4 rows `aBlock` bytes further. b: `lines` lines of `length`
 * pixels; pixels are `bStep` bytes apart, lines `bLine` bytes. c: rows `cStride` bytes apart; `rowCount` by
 * `columns` (1 to 8) are written, while whole tiles of a and b must be readable.
 */
export function multiplyOuter(
  a: usize,
  aStep: usize,
  aBlock: usize,
  b: usize,
  lines: i32,
  length: i32,
  bStep: usize,
  bLine: usize,
  c: usize,
  cStride: usize,
  rowCount: i32,
  columns: i32,
  accumulate: bool,
): void {
  const zero = f32x4.splat(0);
  for (let row = 0; row < rowCount; row += TILE_ROWS) {
    let from = a;
    let lineStart = b;
    let c00 = zero;
    let c01 = zero;
    let c10 = zero;
    let c11 = zero;
    let c20 = zero;
    let c21 = zero;
    let c30 = zero;
    let c31 = zero;

    for (let line = 0; line < lines; line++) {
      let p = lineStart;
      for (let t = length; t > 0; t--) {
        const b0 = v128.load(p);
        const b1 = v128.load(p, 16);
        const x0 = v128.load32_splat(from);
        c00 = madd(x0, b0, c00);
        c01 = madd(x0, b1, c01);
        const x1 = v128.load32_splat(from, 4);
        c10 = madd(x1, b0, c10);
        c11 = madd(x1, b1, c11);
        const x2 = v128.load32_splat(from, 8);
        c20 = madd(x2, b0, c20);
        c21 = madd(x2, b1, c21);
        const x3 = v128.load32_splat(from, 12);
        c30 = madd(x3, b0, c30);
        c31 = madd(x3, b1, c31);
        from += aStep;
        p += bStep;
      }
      lineStart += bLine;
    }

    writeRow(c, c00, c01, columns, accumulate);
    if (rowCount - row > 1) writeRow(c + cStride, c10, c11, columns, accumulate);
    if (rowCount - row > 2) writeRow(c + 2 * cStride, c20, c21, columns, accumulate);
    if (rowCount - row > 3) writeRow(c + 3 * cStride, c30, c31, columns, accumulate);
    a += aBlock;
    c += 4 * cStride;
  }
}

@inline
function writeRow(c: usize, low: v128, high: v128, columns: i32, accumulate: bool): void {
  if (columns == 8) {
    v128.store(c, accumulate ? f32x4.add(v128.load(c), low) : low);
    v128.store(c, accumulate ? f32x4.add(v128.load(c, 16), high) : high, 16);
  } else {
    writePartialRow(c, low, high, columns, accumulate);
  }
}

function writePartialRow(c: usize, low: v128, high: v128, columns: i32, accumulate: bool): void {
  const lowLanes = min(columns, 4);
  storeLanes(c, accumulate ? f32x4.add(loadLanes(c, lowLanes), low) : low, lowLanes);
  const highLanes = columns - 4;
  if (highLanes > 0) {
    storeLanes(c + 16, accumulate ? f32x4.add(loadLanes(c + 16, highLanes), high) : high, highLanes);
  }
}
