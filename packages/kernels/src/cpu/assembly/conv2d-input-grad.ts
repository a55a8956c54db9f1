// Gradient of conv2d in its input, as an implicit matrix product: input pixels times input channels, summed
// over the output pixels that each of them fed.
//
// Input pixel h receives tap r from output row p when h + pad = p stride + r dilation. Pixels with the same
// remainder of h by the stride receive the same taps, and among them the sum is a convolution of dy with
// stride 1 and the taps in reverse. So the image is worked on in strideHeight * strideWidth classes (one
// class for stride 1), each with its own packed weights, and no product with a zero is ever made. A 3 x 3
// kernel with stride 1 and enough channels goes to conv2d-winograd.ts instead.

import {
  areTapsMerged,
  Conv2dGeometry,
  isPlain3x3,
  multiplyPixels,
  paddedRows,
  rowsOfChunk,
} from './conv2d-tile';
import {
  convolveTiles,
  isWinogradSuited,
  packReversedWinogradFilter,
  winogradAreaBytes,
  winogradFilterBytes,
  winogradScratch,
} from './conv2d-winograd';
import { ROW_ENTRY, TILE_COLUMNS } from './gemm-tile';
import { applyEpilogue } from './map';
import { clearFloats, packPanel } from './pack';
import { barrier, claim } from './threads';

/**
 * dx[n, h, w, c] = sum over p, q, r, s, o with h = p stride - pad + r dilation (w alike) of dy[n, p, q, o] *
 * w[o, r, s, c].
 */
export function conv2dInputGrad(
  dy: usize,
  w: usize,
  dx: usize,
  geometry: usize,
  epilogue: usize,
  scratch: usize,
  thread: i32,
): void {
  const g = changetype<Conv2dGeometry>(geometry);
  if (usesWinograd(g)) {
    gradientByWinograd(g, dy, w, dx, epilogue, scratch, thread);
    return;
  }
  const channels = g.inChannels;
  const panels = panelsOf(g);
  for (let panel = claim(); panel < panels; panel = claim()) packPanelOfClasses(g, w, scratch, panel, panels);
  barrier();

  const chunkRows = rowsOfChunk(g.inHeight, g.inWidth, g.strideHeight);
  const chunksOfImage = (g.inHeight + chunkRows - 1) / chunkRows;
  const chunks = g.batch * chunksOfImage;
  const area = scratch + <usize>packedBytes(g) + <usize>thread * areaBytes(g, chunkRows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const image = chunk / chunksOfImage;
    const firstRow = (chunk % chunksOfImage) * chunkRows;
    const rows = min(chunkRows, g.inHeight - firstRow);
    gradientOfRows(g, dy, dx, image, firstRow, rows, chunkRows, scratch, area);
    if (epilogue != 0) {
      const begin = (image * g.inHeight + firstRow) * g.inWidth * channels;
      applyEpilogue(epilogue, begin, begin + rows * g.inWidth * channels, thread);
    }
  }
  barrier();
}

/** Bytes of scratch memory: the packed filter, and an area for each thread. */
export function conv2dInputGradScratch(g: Conv2dGeometry, threads: i32): u64 {
  if (usesWinograd(g)) return winogradScratch(g.outChannels, g.inChannels, threads);
  return packedBytes(g) + <u64>threads * areaBytes(g, rowsOfChunk(g.inHeight, g.inWidth, g.strideHeight));
}

@inline
function usesWinograd(g: Conv2dGeometry): bool {
  return isPlain3x3(g) && isWinogradSuited(g.batch, g.inHeight, g.inWidth, g.outChannels, g.inChannels);
}

@inline
function panelsOf(g: Conv2dGeometry): i32 {
  return (g.inChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
}

@inline
function packedBytes(g: Conv2dGeometry): u64 {
  return (<u64>(panelsOf(g) * TILE_COLUMNS) * (g.kernelHeight * g.kernelWidth * g.outChannels)) << 2;
}

/**
 * The gradient as a convolution of dy with the filter reversed, its channels exchanged, and padding 2 - pad.
 */
function gradientByWinograd(
  g: Conv2dGeometry,
  dy: usize,
  w: usize,
  dx: usize,
  epilogue: usize,
  scratch: usize,
  thread: i32,
): void {
  const inputs = g.inChannels;
  const outputs = g.outChannels;
  const area =
    scratch + winogradFilterBytes(outputs, inputs) + <usize>thread * winogradAreaBytes(outputs, inputs);
  const panels = (inputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
  for (let panel = claim(); panel < panels; panel = claim()) {
    packReversedWinogradFilter(w, inputs, outputs, scratch, panel, area);
  }
  barrier();
  convolveTiles(
    dy,
    g.outHeight,
    g.outWidth,
    outputs,
    2 - g.padTop,
    2 - g.padLeft,
    dx,
    g.batch,
    g.inHeight,
    g.inWidth,
    inputs,
    scratch,
    epilogue,
    area,
    thread,
  );
}

/** The last tap that class `index` of `stride` classes receives, or -1. Taps below it come every tapStep. */
@inline
function lastTap(index: i32, stride: i32, pad: i32, taps: i32, dilation: i32): i32 {
  let tap = taps - 1;
  while (tap >= 0 && (index + pad - tap * dilation) % stride != 0) tap--;
  return tap;
}

/** Number of taps of a class whose last one is `last`. */
@inline
function tapCount(last: i32, tapStep: i32): i32 {
  return last < 0 ? 0 : last / tapStep + 1;
}

/** Taps between two that reach the same class: stride / gcd(stride, dilation). */
@inline
function tapStepOf(stride: i32, dilation: i32): i32 {
  let a = stride;
  let b = dilation;
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return stride / a;
}

/** Largest integer not above a / b, for b > 0. */
@inline
function floorDivide(a: i32, b: i32): i32 {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/** Output rows (or columns) that `count` consecutive input rows may read, at most. */
@inline
function outputSpan(count: i32, stride: i32, taps: i32, dilation: i32): i32 {
  return (count - 1 + (taps - 1) * dilation) / stride + 2;
}

/**
 * A thread's own memory: the pitch of the tile, a table of rows, the offsets of the taps, the padded rows of
 * dy.
 */
function areaBytes(g: Conv2dGeometry, chunkRows: i32): usize {
  const tile =
    outputSpan(chunkRows, g.strideHeight, g.kernelHeight, g.dilationHeight) *
    outputSpan(g.inWidth, g.strideWidth, g.kernelWidth, g.dilationWidth) *
    g.outChannels;
  return tileOffset(g, chunkRows) + ((<usize>((tile + 3) & ~3)) << 2);
}

@inline
function tileOffset(g: Conv2dGeometry, chunkRows: i32): usize {
  return (
    16 +
    <usize>((chunkRows * g.inWidth + 4) * ROW_ENTRY) +
    <usize>(((g.kernelHeight * g.kernelWidth + 3) & ~3) << 2)
  );
}

/**
 * Weights of one panel of 8 input channels for every class: [class][panel][taps, last first][outChannels][8].
 */
function packPanelOfClasses(g: Conv2dGeometry, w: usize, packed: usize, panel: i32, panels: i32): void {
  const first = panel * TILE_COLUMNS;
  const columns = min(TILE_COLUMNS, g.inChannels - first);
  const filterStride = (<usize>(g.kernelHeight * g.kernelWidth * g.inChannels)) << 2;
  const tapBytes = (<usize>(g.outChannels * TILE_COLUMNS)) << 2;
  const stepH = tapStepOf(g.strideHeight, g.dilationHeight);
  const stepW = tapStepOf(g.strideWidth, g.dilationWidth);
  let classWeights = packed;
  for (let i = 0; i < g.strideHeight; i++) {
    const lastH = lastTap(i, g.strideHeight, g.padTop, g.kernelHeight, g.dilationHeight);
    for (let j = 0; j < g.strideWidth; j++) {
      const lastW = lastTap(j, g.strideWidth, g.padLeft, g.kernelWidth, g.dilationWidth);
      const taps = tapCount(lastH, stepH) * tapCount(lastW, stepW);
      let to = classWeights + <usize>(panel * taps) * tapBytes;
      for (let r = lastH; r >= 0; r -= stepH) {
        for (let s = lastW; s >= 0; s -= stepW) {
          const from = w + ((<usize>((r * g.kernelWidth + s) * g.inChannels + first)) << 2);
          packPanel(from, filterStride, to, g.outChannels, columns);
          to += tapBytes;
        }
      }
      classWeights += <usize>(panels * taps) * tapBytes;
    }
  }
}

/** Rows firstRow.. of one image of dx, class by class. */
function gradientOfRows(
  g: Conv2dGeometry,
  dy: usize,
  dx: usize,
  image: i32,
  firstRow: i32,
  rows: i32,
  chunkRows: i32,
  weights: usize,
  area: usize,
): void {
  const strideH = g.strideHeight;
  const strideW = g.strideWidth;
  const panels = panelsOf(g);
  const low = floorDivide(firstRow + g.padTop - (g.kernelHeight - 1) * g.dilationHeight, strideH);
  const high = floorDivide(firstRow + rows - 1 + g.padTop, strideH);
  const left = floorDivide(g.padLeft - (g.kernelWidth - 1) * g.dilationWidth, strideW);
  const right = floorDivide(g.inWidth - 1 + g.padLeft, strideW);
  const tile = paddedRows(
    dy + ((<usize>(image * g.outHeight * g.outWidth * g.outChannels)) << 2),
    g.outHeight,
    g.outWidth,
    g.outChannels,
    low,
    high - low + 1,
    left,
    right - left + 1,
    area + tileOffset(g, chunkRows),
    area,
    false,
  );
  const stepH = tapStepOf(strideH, g.dilationHeight);
  const stepW = tapStepOf(strideW, g.dilationWidth);
  const output = dx + ((<usize>(image * g.inHeight * g.inWidth * g.inChannels)) << 2);

  for (let i = 0; i < strideH; i++) {
    const lastH = lastTap(i, strideH, g.padTop, g.kernelHeight, g.dilationHeight);
    for (let j = 0; j < strideW; j++) {
      const lastW = lastTap(j, strideW, g.padLeft, g.kernelWidth, g.dilationWidth);
      const tapsH = tapCount(lastH, stepH);
      const tapsW = tapCount(lastW, stepW);
      gradientOfClass(
        g,
        output,
        firstRow,
        rows,
        chunkRows,
        i,
        j,
        lastH,
        lastW,
        tapsH,
        tapsW,
        low,
        left,
        tile,
        weights,
        area,
      );
      weights += (<usize>(panels * tapsH * tapsW * g.outChannels * TILE_COLUMNS)) << 2;
    }
  }
}

/** The pixels of rows firstRow.. whose row and column leave the remainders i and j by the strides. */
function gradientOfClass(
  g: Conv2dGeometry,
  output: usize,
  firstRow: i32,
  rows: i32,
  chunkRows: i32,
  i: i32,
  j: i32,
  lastH: i32,
  lastW: i32,
  tapsH: i32,
  tapsW: i32,
  low: i32,
  left: i32,
  tile: usize,
  weights: usize,
  area: usize,
): void {
  const pitch = load<usize>(area);
  const table = area + 16;
  const pixelBytes = (<usize>g.outChannels) << 2;
  let pixels = 0;
  // firstRow is a multiple of the stride.
  for (let h = firstRow + i; h < firstRow + rows; h += g.strideHeight) {
    for (let column = j; column < g.inWidth; column += g.strideWidth) {
      const to = output + ((<usize>((h * g.inWidth + column) * g.inChannels)) << 2);
      if (tapsH == 0 || tapsW == 0) {
        clearFloats(to, g.inChannels);
        continue;
      }
      const p = (h + g.padTop - lastH * g.dilationHeight) / g.strideHeight - low;
      const q = (column + g.padLeft - lastW * g.dilationWidth) / g.strideWidth - left;
      const entry = table + <usize>(pixels * ROW_ENTRY);
      store<usize>(entry, tile + <usize>p * pitch + <usize>q * pixelBytes);
      store<usize>(entry, to, 4);
      pixels++;
    }
  }
  if (pixels == 0) return;

  const segments = table + <usize>((chunkRows * g.inWidth + 4) * ROW_ENTRY);
  const rowStep = (tapStepOf(g.strideHeight, g.dilationHeight) * g.dilationHeight) / g.strideHeight;
  const columnStep = (tapStepOf(g.strideWidth, g.dilationWidth) * g.dilationWidth) / g.strideWidth;
  const isMerged = areTapsMerged(tapsW, columnStep, g.outChannels);
  const runs = isMerged ? 1 : tapsW;
  for (let r = 0; r < tapsH; r++) {
    for (let s = 0; s < runs; s++) {
      store<usize>(
        segments + <usize>((r * runs + s) << 2),
        <usize>(r * rowStep) * pitch + <usize>(s * columnStep) * pixelBytes,
      );
    }
  }
  multiplyPixels(
    table,
    pixels,
    segments,
    tapsH * runs,
    isMerged ? tapsW * g.outChannels : g.outChannels,
    weights,
    g.inChannels,
  );
}
