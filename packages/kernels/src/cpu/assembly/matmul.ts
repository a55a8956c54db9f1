// Batched matrix product C = op(A) op(B). B is packed into panels of 8 columns; A is read in place by rows, or, if
// it is transposed, by columns where few panels share them and else transposed block by block. The 4 x 8 register
// tile runs over blocks that stay in cache.
//
// The output is cut into chunks of whole blocks (batch, slice of k, row group, column group), as many as the
// sizes alone decide.

import { fillRows, multiplyOuter, multiplyPanels, ROW_ENTRY, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { applyEpilogue } from './map';
import { packPanel, packPanelTransposed, transpose } from './pack';
import { sumSlices } from './slices';
import { barrier, claim } from './threads';

/** Depth of a block: a panel of B of this depth is 16 KiB, half of a first-level cache. */
const BLOCK_DEPTH: i32 = 512;
/** Rows of a block: with BLOCK_DEPTH, 64 KiB of A, streamed from the second-level cache once per panel. */
const BLOCK_ROWS: i32 = 32;
/**
 * From this many rows on, B is packed once for all threads; below, each chunk packs its own panels as it
 * goes.
 */
const SHARED_PACK_ROWS: i32 = 192;
/** Wanted number of chunks: enough for a dozen threads, few enough that a chunk is worth claiming. */
const CHUNKS: i32 = 16;
/** Least depth of a slice when k is split. */
const SLICE_DEPTH: i32 = 1024;
/** Panels that one claim packs, and floats that one claim reduces. */
const PACK_PANELS: i32 = 4;
const REDUCE_FLOATS: i32 = 4096;

/** The sizes of a product, as the device writes them: i32. Batch strides count floats; 0 uses one matrix for the whole batch. */
@unmanaged
export class MatmulSizes {
  batch: i32;
  m: i32;
  n: i32;
  k: i32;
  transposeA: i32;
  transposeB: i32;
  batchStrideA: i32;
  batchStrideB: i32;
}

/**
 * C[b] = op(A[b]) op(B[b]) for b < batch. A is [m, k], or [k, m] if transposeA; B is [k, n], or [n, k] if
 * transposeB; C is contiguous [batch, m, n]. k is summed in ascending order within slices fixed by the sizes,
 * slices in ascending order.
 */
export function matmul(
  a: usize,
  b: usize,
  c: usize,
  sizes: usize,
  epilogue: usize,
  scratch: usize,
  thread: i32,
): void {
  const s = changetype<MatmulSizes>(sizes);
  const m = s.m;
  const n = s.n;
  const k = s.k;
  const isShared = isPackShared(s);
  const panels = panelsOf(n);
  const rowGroup = isShared ? BLOCK_ROWS : m;
  const rowGroups = rowGroupsOf(s);
  const columnGroup = columnGroupOf(s);
  const columnGroups = (panels + columnGroup - 1) / columnGroup;
  const slices = slicesOf(s);
  const sliceDepth = (k + slices - 1) / slices;

  const partials = scratch;
  const packed = partials + <usize>partialsBytes(s);
  const area = packed + <usize>packedBytes(s) + <usize>thread * areaBytes(s);

  if (isShared) {
    const count = (panels + PACK_PANELS - 1) / PACK_PANELS;
    for (let index = claim(); index < count; index = claim()) {
      const first = index * PACK_PANELS;
      const to = packed + ((<usize>(first * TILE_COLUMNS) * k) << 2);
      packPanels(b, to, n, k, 0, k, first, min(first + PACK_PANELS, panels), s.transposeB != 0);
    }
    barrier();
  }

  const chunks = s.batch * rowGroups * columnGroups * slices;
  for (let index = claim(); index < chunks; index = claim()) {
    const columnIndex = index % columnGroups;
    let rest = index / columnGroups;
    const rowIndex = rest % rowGroups;
    rest /= rowGroups;
    const slice = rest % slices;
    const matrix = rest / slices;
    const firstRow = rowIndex * rowGroup;
    const lastRow = min(firstRow + rowGroup, m);
    const output =
      slices > 1
        ? partials + ((<usize>(slice * s.batch + matrix) * m * n) << 2)
        : c + ((<usize>matrix * m * n) << 2);
    multiplyBlock(
      a + ((<usize>matrix * s.batchStrideA) << 2),
      isShared ? packed : b + ((<usize>matrix * s.batchStrideB) << 2),
      output,
      m,
      n,
      k,
      s.transposeA != 0,
      s.transposeB != 0,
      isShared,
      firstRow,
      lastRow,
      columnIndex * columnGroup,
      min((columnIndex + 1) * columnGroup, panels),
      slice * sliceDepth,
      min((slice + 1) * sliceDepth, k),
      area,
    );
    if (epilogue != 0 && slices == 1 && columnGroups == 1) {
      applyEpilogue(epilogue, (matrix * m + firstRow) * n, (matrix * m + lastRow) * n, thread);
    }
  }
  barrier();

  if (slices > 1 || (columnGroups > 1 && epilogue != 0)) {
    finish(c, partials, s.batch * m * n, slices, epilogue, thread);
  }
}

/** Bytes of scratch memory: partial results of the slices of k, B packed for all threads, an area for each thread. */
export function matmulScratch(s: MatmulSizes, threads: i32): u64 {
  return partialsBytes(s) + packedBytes(s) + <u64>threads * areaBytes(s);
}

@inline
function panelsOf(n: i32): i32 {
  return (n + TILE_COLUMNS - 1) / TILE_COLUMNS;
}

/** Whether B is packed once for all threads. */
@inline
function isPackShared(s: MatmulSizes): bool {
  return s.batch == 1 && s.m >= SHARED_PACK_ROWS;
}

@inline
function rowGroupsOf(s: MatmulSizes): i32 {
  return isPackShared(s) ? (s.m + BLOCK_ROWS - 1) / BLOCK_ROWS : 1;
}

/** Panels of a group of columns. */
function columnGroupOf(s: MatmulSizes): i32 {
  const panels = panelsOf(s.n);
  if (isPackShared(s)) return panels;
  const wanted = min((CHUNKS + s.batch - 1) / s.batch, (panels + 1) / 2);
  return (panels + wanted - 1) / wanted;
}

/** Slices of k, where the output alone does not make enough chunks. */
function slicesOf(s: MatmulSizes): i32 {
  const columnGroup = columnGroupOf(s);
  const columnGroups = (panelsOf(s.n) + columnGroup - 1) / columnGroup;
  return max(1, min(CHUNKS / (s.batch * rowGroupsOf(s) * columnGroups), s.k / SLICE_DEPTH));
}

function partialsBytes(s: MatmulSizes): u64 {
  const slices = slicesOf(s);
  return slices > 1 ? ((<u64>slices * s.batch) * s.m * s.n) << 2 : 0;
}

@inline
function packedBytes(s: MatmulSizes): u64 {
  return isPackShared(s) ? (<u64>(panelsOf(s.n) * TILE_COLUMNS) * s.k) << 2 : 0;
}

/** A thread's area: its panels of B, a transposed block of A, a table of rows, one segment. */
@inline
function areaBytes(s: MatmulSizes): usize {
  const panels = isPackShared(s) ? 0 : columnGroupOf(s);
  const blocks = (panels * TILE_COLUMNS + BLOCK_ROWS) * min(s.k, BLOCK_DEPTH);
  return <usize>(BLOCK_ROWS * ROW_ENTRY) + 64 + ((<usize>blocks) << 2);
}

/** Sums the slices, in order, and applies the epilogue where no thread owned whole rows. */
function finish(c: usize, partials: usize, total: i32, slices: i32, epilogue: usize, thread: i32): void {
  const count = (total + REDUCE_FLOATS - 1) / REDUCE_FLOATS;
  for (let index = claim(); index < count; index = claim()) {
    const begin = index * REDUCE_FLOATS;
    const end = min(begin + REDUCE_FLOATS, total);
    if (slices > 1) sumSlices(partials, c, begin, end, total, slices);
    if (epilogue != 0) applyEpilogue(epilogue, begin, end, thread);
  }
  barrier();
}

/** Equal blocks no deeper than BLOCK_DEPTH. */
@inline
function depthOfBlocks(depth: i32): i32 {
  const blocks = (depth + BLOCK_DEPTH - 1) / BLOCK_DEPTH;
  return (depth + blocks - 1) / blocks;
}

/** Rows firstRow..lastRow, panels firstPanel..lastPanel, depths begin..end of one matrix. */
function multiplyBlock(
  a: usize,
  b: usize,
  c: usize,
  m: i32,
  n: i32,
  k: i32,
  transposeA: bool,
  transposeB: bool,
  isPacked: bool,
  firstRow: i32,
  lastRow: i32,
  firstPanel: i32,
  lastPanel: i32,
  begin: i32,
  end: i32,
  area: usize,
): void {
  const blockDepth = depthOfBlocks(end - begin);
  const rows = area;
  const segment = rows + BLOCK_ROWS * ROW_ENTRY;
  const blockA = segment + 64;
  const blockB = blockA + ((<usize>(BLOCK_ROWS * blockDepth)) << 2);
  const cStride = (<usize>n) << 2;

  for (let first = begin; first < end; first += blockDepth) {
    const last = min(first + blockDepth, end);
    const depth = last - first;
    if (!isPacked) packPanels(b, blockB, n, k, first, last, firstPanel, lastPanel, transposeB);

    const panels = isPacked ? b + ((<usize>(firstPanel * k + first) * TILE_COLUMNS) << 2) : blockB;
    const panelBytes = (<usize>(isPacked ? k : depth) * TILE_COLUMNS) << 2;
    const lastColumn = min(lastPanel * TILE_COLUMNS, n);

    // A few columns do not pay for transposing A; a tile of its columns is then read where it lies.
    if (transposeA && !isPacked) {
      const columnsA = a + ((<usize>first * m + firstRow) << 2);
      let panel = panels;
      for (let column = firstPanel * TILE_COLUMNS; column < lastColumn; column += TILE_COLUMNS) {
        multiplyOuter(
          columnsA,
          (<usize>m) << 2,
          TILE_ROWS << 2,
          panel,
          1,
          depth,
          TILE_COLUMNS << 2,
          0,
          c + <usize>firstRow * cStride + ((<usize>column) << 2),
          cStride,
          lastRow - firstRow,
          min(TILE_COLUMNS, lastColumn - column),
          first > begin,
        );
        panel += panelBytes;
      }
      continue;
    }

    for (let blockRow = firstRow; blockRow < lastRow; blockRow += BLOCK_ROWS) {
      const count = min(BLOCK_ROWS, lastRow - blockRow);
      let rowsA = a + ((<usize>blockRow * k) << 2);
      let aStride = (<usize>k) << 2;
      store<usize>(segment, (<usize>first) << 2);
      if (transposeA) {
        aStride = (<usize>depth) << 2;
        rowsA = blockA;
        store<usize>(segment, 0);
        transpose(a + ((<usize>first * m + blockRow) << 2), (<usize>m) << 2, blockA, aStride, depth, count);
      }
      fillRows(rows, count, rowsA, aStride, c + <usize>blockRow * cStride, cStride);

      multiplyPanels(
        rows,
        count,
        segment,
        1,
        depth,
        panels,
        panelBytes,
        firstPanel * TILE_COLUMNS,
        lastColumn,
        first > begin,
      );
    }
  }
}

/** Packs depths begin..end of panels firstPanel..lastPanel, one after the other. */
function packPanels(
  b: usize,
  destination: usize,
  n: i32,
  k: i32,
  begin: i32,
  end: i32,
  firstPanel: i32,
  lastPanel: i32,
  transposeB: bool,
): void {
  const panelBytes = (<usize>(end - begin) * TILE_COLUMNS) << 2;
  let to = destination;
  for (let panel = firstPanel; panel < lastPanel; panel++) {
    const column = panel * TILE_COLUMNS;
    const columns = min(TILE_COLUMNS, n - column);
    if (transposeB) {
      packPanelTransposed(b + ((<usize>column * k + begin) << 2), (<usize>k) << 2, to, end - begin, columns);
    } else {
      packPanel(b + ((<usize>begin * n + column) << 2), (<usize>n) << 2, to, end - begin, columns);
    }
    to += panelBytes;
  }
}
