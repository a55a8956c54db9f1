// Convolution as an implicit matrix product: output pixels times output channels, summed over the taps of the
// kernel. Weights are packed once into panels of 8 output channels; chunks of output rows are then
// independent. A 3 x 3 kernel with stride 1 and enough channels goes to conv2d-winograd.ts instead.

import {
  areTapsMerged,
  Conv2dGeometry,
  inputSpan,
  isPlain3x3,
  multiplyPixels,
  paddedRows,
  rowsOfChunk,
} from './conv2d-tile';
import {
  convolveTiles,
  isWinogradSuited,
  packWinogradFilter,
  winogradAreaBytes,
  winogradFilterBytes,
  winogradScratch,
} from './conv2d-winograd';
import { ROW_ENTRY, TILE_COLUMNS } from './gemm-tile';
import { applyEpilogue } from './map';
import { packPanelTransposed } from './pack';
import { barrier, claim } from './threads';

/**
 * y[n, p, q, o] = sum over r, s, c of x[n, p stride - pad + r dilation, ..., c] * w[o, r, s, c]; x, y NHWC, w
 * OHWI.
 */
export function conv2d(
  x: usize,
  w: usize,
  y: usize,
  geometry: usize,
  epilogue: usize,
  scratch: usize,
  thread: i32,
): void {
  const g = changetype<Conv2dGeometry>(geometry);
  if (usesWinograd(g)) {
    convolveByWinograd(g, x, w, y, epilogue, scratch, thread);
    return;
  }
  const channels = g.outChannels;
  const depth = depthOf(g);
  const panels = panelsOf(g);
  const panelBytes = (<usize>(depth * TILE_COLUMNS)) << 2;

  for (let panel = claim(); panel < panels; panel = claim()) {
    const first = panel * TILE_COLUMNS;
    packPanelTransposed(
      w + ((<usize>(first * depth)) << 2),
      (<usize>depth) << 2,
      scratch + <usize>panel * panelBytes,
      depth,
      min(TILE_COLUMNS, channels - first),
    );
  }
  barrier();

  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  const chunksOfImage = (g.outHeight + chunkRows - 1) / chunkRows;
  const chunks = g.batch * chunksOfImage;
  const area = scratch + <usize>panels * panelBytes + <usize>thread * areaBytes(g, chunkRows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const image = chunk / chunksOfImage;
    const firstRow = (chunk % chunksOfImage) * chunkRows;
    const rows = min(chunkRows, g.outHeight - firstRow);
    convolveRows(g, x, y, image, firstRow, rows, scratch, area);
    if (epilogue != 0) {
      const begin = (image * g.outHeight + firstRow) * g.outWidth * channels;
      applyEpilogue(epilogue, begin, begin + rows * g.outWidth * channels, thread);
    }
  }
  barrier();
}

/** Bytes of scratch memory: the packed filter, and an area for each thread. */
export function conv2dScratch(g: Conv2dGeometry, threads: i32): u64 {
  if (usesWinograd(g)) return winogradScratch(g.inChannels, g.outChannels, threads);
  const packed = (<u64>(panelsOf(g) * TILE_COLUMNS) * depthOf(g)) << 2;
  return packed + <u64>threads * areaBytes(g, rowsOfChunk(g.outHeight, g.outWidth, 1));
}

@inline
function usesWinograd(g: Conv2dGeometry): bool {
  return isPlain3x3(g) && isWinogradSuited(g.batch, g.outHeight, g.outWidth, g.inChannels, g.outChannels);
}

@inline
function panelsOf(g: Conv2dGeometry): i32 {
  return (g.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
}

@inline
function depthOf(g: Conv2dGeometry): i32 {
  return g.kernelHeight * g.kernelWidth * g.inChannels;
}

function convolveByWinograd(
  g: Conv2dGeometry,
  x: usize,
  w: usize,
  y: usize,
  epilogue: usize,
  scratch: usize,
  thread: i32,
): void {
  const inputs = g.inChannels;
  const outputs = g.outChannels;
  const area =
    scratch + winogradFilterBytes(inputs, outputs) + <usize>thread * winogradAreaBytes(inputs, outputs);
  const panels = (outputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
  for (let panel = claim(); panel < panels; panel = claim()) {
    packWinogradFilter(w, inputs, outputs, scratch, panel, area);
  }
  barrier();
  convolveTiles(
    x,
    g.inHeight,
    g.inWidth,
    inputs,
    g.padTop,
    g.padLeft,
    y,
    g.batch,
    g.outHeight,
    g.outWidth,
    outputs,
    scratch,
    epilogue,
    area,
    thread,
  );
}

/**
 * A thread's own memory: the pitch of the tile, a table of rows, the offsets of the taps, the padded input
 * rows.
 */
function areaBytes(g: Conv2dGeometry, chunkRows: i32): usize {
  const tile =
    inputSpan(chunkRows, g.strideHeight, g.kernelHeight, g.dilationHeight) *
    inputSpan(g.outWidth, g.strideWidth, g.kernelWidth, g.dilationWidth) *
    g.inChannels;
  return tileOffset(g, chunkRows) + ((<usize>((tile + 3) & ~3)) << 2);
}

@inline
function tileOffset(g: Conv2dGeometry, chunkRows: i32): usize {
  return (
    16 +
    <usize>((chunkRows * g.outWidth + 4) * ROW_ENTRY) +
    <usize>(((g.kernelHeight * g.kernelWidth + 3) & ~3) << 2)
  );
}

/** Rows firstRow.. of one output image. */
function convolveRows(
  g: Conv2dGeometry,
  x: usize,
  y: usize,
  image: i32,
  firstRow: i32,
  rows: i32,
  weights: usize,
  area: usize,
): void {
  const inChannels = g.inChannels;
  const table = area + 16;
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  const segments = table + <usize>((chunkRows * g.outWidth + 4) * ROW_ENTRY);
  const tile = paddedRows(
    x + ((<usize>(image * g.inHeight * g.inWidth * inChannels)) << 2),
    g.inHeight,
    g.inWidth,
    inChannels,
    firstRow * g.strideHeight - g.padTop,
    inputSpan(rows, g.strideHeight, g.kernelHeight, g.dilationHeight),
    -g.padLeft,
    inputSpan(g.outWidth, g.strideWidth, g.kernelWidth, g.dilationWidth),
    area + tileOffset(g, chunkRows),
    area,
    false,
  );
  const pitch = load<usize>(area);

  let entry = table;
  let to = y + ((<usize>((image * g.outHeight + firstRow) * g.outWidth * g.outChannels)) << 2);
  for (let row = 0; row < rows; row++) {
    let from = tile + <usize>(row * g.strideHeight) * pitch;
    for (let column = 0; column < g.outWidth; column++) {
      store<usize>(entry, from);
      store<usize>(entry, to, 4);
      entry += ROW_ENTRY;
      from += (<usize>(g.strideWidth * inChannels)) << 2;
      to += (<usize>g.outChannels) << 2;
    }
  }

  const isMerged = areTapsMerged(g.kernelWidth, g.dilationWidth, inChannels);
  const runs = isMerged ? 1 : g.kernelWidth;
  for (let r = 0; r < g.kernelHeight; r++) {
    for (let s = 0; s < runs; s++) {
      store<usize>(
        segments + <usize>((r * runs + s) << 2),
        <usize>(r * g.dilationHeight) * pitch + ((<usize>(s * g.dilationWidth * inChannels)) << 2),
      );
    }
  }
  multiplyPixels(
    table,
    rows * g.outWidth,
    segments,
    g.kernelHeight * runs,
    isMerged ? g.kernelWidth * inChannels : inChannels,
    weights,
    g.outChannels,
  );
}
