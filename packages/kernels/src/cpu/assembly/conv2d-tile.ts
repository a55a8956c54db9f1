// What the three convolution kernels share: the sizes, the zero-padded copy of the input rows that a chunk of
// output rows needs, and the product of those rows with packed weights.
//
// A chunk's input rows are copied once into a thread's own memory with their padding written out as zeros. A
// pixel is then one address, and the taps of a kernel row are one contiguous run of kernelWidth * channels
// floats, so the inner loop has no bounds to check and even three channels give it a full row of work.
// Without padding the copy is left out.

import { multiplyPanels, ROW_ENTRY, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { clearFloats, copyFloats } from './pack';

/** The sizes of a convolution, as the device writes them: fifteen i32. */
@unmanaged
export class Conv2dGeometry {
  batch: i32;
  inHeight: i32;
  inWidth: i32;
  inChannels: i32;
  outHeight: i32;
  outWidth: i32;
  outChannels: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  strideHeight: i32;
  strideWidth: i32;
  padTop: i32;
  padLeft: i32;
  dilationHeight: i32;
  dilationWidth: i32;
}

/** Whether this is a 3 x 3 convolution with stride 1 and no dilation. */
export function isPlain3x3(g: Conv2dGeometry): bool {
  return (
    g.kernelHeight == 3 &&
    g.kernelWidth == 3 &&
    g.strideHeight == 1 &&
    g.strideWidth == 1 &&
    g.dilationHeight == 1 &&
    g.dilationWidth == 1
  );
}

/** Output pixels of a chunk: few enough that its input rows and a panel of weights stay in cache. */
const CHUNK_PIXELS: i32 = 64;
/** Depth of weights used at a time: a panel of this depth fills a first-level cache. */
const BLOCK_DEPTH: i32 = 1024;

/** Rows of `width` pixels that make a chunk, a multiple of `multiple`, chunks as equal as that allows. */
export function rowsOfChunk(height: i32, width: i32, multiple: i32): i32 {
  const units = (height + multiple - 1) / multiple;
  const wanted = max(1, CHUNK_PIXELS / (width * multiple));
  const chunks = (units + wanted - 1) / wanted;
  return ((units + chunks - 1) / chunks) * multiple;
}

/** Inputs that `count` consecutive outputs read along one axis. */
@inline
export function inputSpan(count: i32, stride: i32, taps: i32, dilation: i32): i32 {
  return (count - 1) * stride + (taps - 1) * dilation + 1;
}

/** Whether the taps of a kernel row, `tapStep` pixels apart, are used as one contiguous run. */
@inline
export function areTapsMerged(taps: i32, tapStep: i32, channels: i32): bool {
  return tapStep == 1 && taps * channels <= BLOCK_DEPTH;
}

/**
 * Makes rows firstRow.. and columns firstColumn.. of one image available, zero outside the image. Returns the
 * address of the first, and by `pitchAt` the bytes from row to row. `tile` has room for a copy, which is left
 * out if all of it is inside the image, unless `isCopied` asks for one.
 */
export function paddedRows(
  image: usize,
  height: i32,
  width: i32,
  channels: i32,
  firstRow: i32,
  rows: i32,
  firstColumn: i32,
  columns: i32,
  tile: usize,
  pitchAt: usize,
  isCopied: bool,
): usize {
  const isInside =
    firstRow >= 0 && firstRow + rows <= height && firstColumn >= 0 && firstColumn + columns <= width;
  if (isInside && !isCopied) {
    store<usize>(pitchAt, (<usize>(width * channels)) << 2);
    return image + ((<usize>((firstRow * width + firstColumn) * channels)) << 2);
  }
  const left = min(max(-firstColumn, 0), columns);
  const right = min(max(firstColumn + columns - width, 0), columns - left);
  const inside = columns - left - right;
  const pitch = (<usize>(columns * channels)) << 2;
  let to = tile;
  for (let row = firstRow; row < firstRow + rows; row++) {
    if (row < 0 || row >= height || inside <= 0) {
      clearFloats(to, columns * channels);
    } else {
      const from = image + ((<usize>((row * width + firstColumn + left) * channels)) << 2);
      const middle = to + ((<usize>(left * channels)) << 2);
      clearFloats(to, left * channels);
      copyFloats(from, middle, inside * channels);
      clearFloats(middle + ((<usize>(inside * channels)) << 2), right * channels);
    }
    to += pitch;
  }
  store<usize>(pitchAt, pitch);
  return tile;
}

/**
 * Pixels times packed weights: `rows` is a table of `pixels` rows for multiplyRows, weights are panels of
 * `channels` output channels, `segmentCount * length` deep. Deep sums are cut into blocks whose panels stay
 * in cache.
 */
export function multiplyPixels(
  rows: usize,
  pixels: i32,
  segments: usize,
  segmentCount: i32,
  length: i32,
  weights: usize,
  channels: i32,
): void {
  repeatLastRow(rows, pixels);
  const panelBytes = (<usize>(segmentCount * length * TILE_COLUMNS)) << 2;
  const step = max(1, BLOCK_DEPTH / length);
  for (let first = 0; first < segmentCount; first += step) {
    const count = min(step, segmentCount - first);
    multiplyPanels(
      rows,
      pixels,
      segments + <usize>(first << 2),
      count,
      length,
      weights + ((<usize>(first * length * TILE_COLUMNS)) << 2),
      panelBytes,
      0,
      channels,
      first > 0,
    );
  }
}

/** Fills the table of rows up to a multiple of TILE_ROWS, which multiplyRows reads but does not write. */
function repeatLastRow(rows: usize, count: i32): void {
  const last = load<u64>(rows + <usize>((count - 1) * ROW_ENTRY));
  for (let row = count; (row & (TILE_ROWS - 1)) != 0; row++) {
    store<u64>(rows + <usize>(row * ROW_ENTRY), last);
  }
}
