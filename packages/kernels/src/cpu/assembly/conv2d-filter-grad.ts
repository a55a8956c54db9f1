// Gradient of conv2d in its filter: output channels times taps, summed over all output pixels.
//
// The pixels are cut into slices of whole chunks of rows; each slice adds up its own gradient in scratch
// memory and the slices are summed in order at the end. Where slices are few, output channels are divided
// among threads as well. Within a chunk dy is packed by blocks of 4 channels; the input is read where it
// lies: the taps of a kernel row are contiguous, so 8 columns of the register tile cross tap boundaries
// freely. A 3 x 3 kernel with stride 1 and enough channels goes to conv2d-filter-grad-winograd.ts instead.

import {
  filterGradByWinograd,
  isWinogradFilterGradSuited,
  winogradFilterGradScratch,
} from './conv2d-filter-grad-winograd';
import { Conv2dGeometry, inputSpan, isPlain3x3, paddedRows, rowsOfChunk } from './conv2d-tile';
import { multiplyOuter, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { sumSlices } from './slices';
import { barrier, claim } from './threads';

/** Least output pixels of a slice, so that summing the slices costs little beside filling them. */
const SLICE_PIXELS: i32 = 512;
/** Most floats that the slices take together. */
const SLICES_FLOATS: i32 = 1 << 23;
/** Wanted number of pieces of work, and the fewest output channels worth dividing by. */
const PIECES: i32 = 16;
const GROUP_CHANNELS: i32 = 16;
/** Floats that one claim sums over the slices. */
const REDUCE_FLOATS: i32 = 4096;

/**
 * dw[o, r, s, c] = sum over n, p, q of dy[n, p, q, o] * x[n, p stride - pad + r dilation, ..., c]; x, dy
 * NHWC, dw OHWI.
 */
export function conv2dFilterGrad(
  x: usize,
  dy: usize,
  dw: usize,
  geometry: usize,
  scratch: usize,
  thread: i32,
): void {
  const g = changetype<Conv2dGeometry>(geometry);
  if (usesWinograd(g)) {
    filterGradByWinograd(g, x, dy, dw, scratch, thread);
    return;
  }
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  const chunks = chunksOf(g);
  const filterFloats = filterFloatsOf(g);
  const slices = slicesOf(g);
  const sliceChunks = (chunks + slices - 1) / slices;
  const groupChannels = groupChannelsOf(g);
  const groups = (g.outChannels + groupChannels - 1) / groupChannels;

  const isSliced = slices > 1;
  const area = scratch + <usize>partialsBytes(g) + <usize>thread * areaBytes(g, chunkRows, groupChannels);
  const pieces = slices * groups;
  for (let piece = claim(); piece < pieces; piece = claim()) {
    const slice = piece / groups;
    const firstChannel = (piece % groups) * groupChannels;
    const channels = min(groupChannels, g.outChannels - firstChannel);
    const output = isSliced ? scratch + ((<usize>(slice * filterFloats)) << 2) : dw;
    const last = min((slice + 1) * sliceChunks, chunks);
    for (let chunk = slice * sliceChunks; chunk < last; chunk++) {
      addChunk(g, x, dy, output, chunk, chunkRows, firstChannel, channels, area, chunk > slice * sliceChunks);
    }
  }
  barrier();

  if (isSliced) {
    const count = (filterFloats + REDUCE_FLOATS - 1) / REDUCE_FLOATS;
    for (let index = claim(); index < count; index = claim()) {
      const begin = index * REDUCE_FLOATS;
      sumSlices(scratch, dw, begin, min(begin + REDUCE_FLOATS, filterFloats), filterFloats, slices);
    }
    barrier();
  }
}

/** Bytes of scratch memory: partial gradients of the slices, and an area for each thread. */
export function conv2dFilterGradScratch(g: Conv2dGeometry, threads: i32): u64 {
  if (usesWinograd(g)) return winogradFilterGradScratch(g, threads);
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  return partialsBytes(g) + <u64>threads * areaBytes(g, chunkRows, groupChannelsOf(g));
}

@inline
function usesWinograd(g: Conv2dGeometry): bool {
  return isPlain3x3(g) && isWinogradFilterGradSuited(g);
}

@inline
function filterFloatsOf(g: Conv2dGeometry): i32 {
  return g.outChannels * g.kernelHeight * g.kernelWidth * g.inChannels;
}

/** Chunks of rows of all images. */
@inline
function chunksOf(g: Conv2dGeometry): i32 {
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  return g.batch * ((g.outHeight + chunkRows - 1) / chunkRows);
}

/** Slices of equally many chunks, but for the last. */
function slicesOf(g: Conv2dGeometry): i32 {
  const chunks = chunksOf(g);
  const pixels = g.batch * g.outHeight * g.outWidth;
  const most = min(min(pixels / SLICE_PIXELS, SLICES_FLOATS / filterFloatsOf(g)), min(PIECES, chunks));
  const wanted = max(most, 1);
  const sliceChunks = (chunks + wanted - 1) / wanted;
  return (chunks + sliceChunks - 1) / sliceChunks;
}

/** Output channels of a piece of work, whole tiles. */
function groupChannelsOf(g: Conv2dGeometry): i32 {
  const slices = slicesOf(g);
  const groups = min((PIECES + slices - 1) / slices, (g.outChannels + GROUP_CHANNELS - 1) / GROUP_CHANNELS);
  return ((g.outChannels + groups - 1) / groups + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
}

function partialsBytes(g: Conv2dGeometry): u64 {
  const slices = slicesOf(g);
  return slices > 1 ? (<u64>slices * filterFloatsOf(g)) << 2 : 0;
}

/**
 * A thread's own memory: the pitch of the tile, packed dy, padded input rows and what the last panel reads
 * beyond them.
 */
function areaBytes(g: Conv2dGeometry, chunkRows: i32, groupChannels: i32): usize {
  const tile =
    inputSpan(chunkRows, g.strideHeight, g.kernelHeight, g.dilationHeight) *
    inputSpan(g.outWidth, g.strideWidth, g.kernelWidth, g.dilationWidth) *
    g.inChannels;
  return 16 + ((<usize>(chunkRows * g.outWidth * groupChannels + ((tile + TILE_COLUMNS + 3) & ~3))) << 2);
}

/**
 * Adds (or, for the first chunk of a slice, writes) what one chunk of rows contributes to some output
 * channels.
 */
function addChunk(
  g: Conv2dGeometry,
  x: usize,
  dy: usize,
  output: usize,
  chunk: i32,
  chunkRows: i32,
  firstChannel: i32,
  channels: i32,
  area: usize,
  accumulate: bool,
): void {
  const inChannels = g.inChannels;
  const chunksOfImage = (g.outHeight + chunkRows - 1) / chunkRows;
  const image = chunk / chunksOfImage;
  const firstRow = (chunk % chunksOfImage) * chunkRows;
  const rows = min(chunkRows, g.outHeight - firstRow);
  const pixels = rows * g.outWidth;

  const packed = area + 16;
  const blockBytes = (<usize>pixels) << 4;
  const gradient =
    dy + ((<usize>((image * g.outHeight + firstRow) * g.outWidth * g.outChannels + firstChannel)) << 2);
  for (let channel = 0; channel < channels; channel += TILE_ROWS) {
    packChannels(
      gradient + ((<usize>channel) << 2),
      (<usize>g.outChannels) << 2,
      packed + <usize>(channel / TILE_ROWS) * blockBytes,
      pixels,
    );
  }

  // A run of taps that does not fill its last panel is read beyond its end: by at most 3 floats inside the
  // image.
  const isMerged = g.dilationWidth == 1 || g.kernelWidth == 1;
  const runs = isMerged ? 1 : g.kernelWidth;
  const length = isMerged ? g.kernelWidth * inChannels : inChannels;
  const overrun = -length & (TILE_COLUMNS - 1);
  const tile = paddedRows(
    x + ((<usize>(image * g.inHeight * g.inWidth * inChannels)) << 2),
    g.inHeight,
    g.inWidth,
    inChannels,
    firstRow * g.strideHeight - g.padTop,
    inputSpan(rows, g.strideHeight, g.kernelHeight, g.dilationHeight),
    -g.padLeft,
    inputSpan(g.outWidth, g.strideWidth, g.kernelWidth, g.dilationWidth),
    packed + ((<usize>(chunkRows * g.outWidth * ((channels + TILE_ROWS - 1) & ~(TILE_ROWS - 1)))) << 2),
    area,
    overrun > 3,
  );
  const pitch = load<usize>(area);
  const filterBytes = (<usize>(g.kernelHeight * g.kernelWidth * inChannels)) << 2;

  for (let r = 0; r < g.kernelHeight; r++) {
    for (let s = 0; s < runs; s++) {
      const from =
        tile + <usize>(r * g.dilationHeight) * pitch + ((<usize>(s * g.dilationWidth * inChannels)) << 2);
      const to =
        output + <usize>firstChannel * filterBytes + ((<usize>((r * g.kernelWidth + s) * inChannels)) << 2);
      for (let column = 0; column < length; column += TILE_COLUMNS) {
        multiplyOuter(
          packed,
          16,
          blockBytes,
          from + ((<usize>column) << 2),
          rows,
          g.outWidth,
          (<usize>(g.strideWidth * inChannels)) << 2,
          <usize>g.strideHeight * pitch,
          to + ((<usize>column) << 2),
          filterBytes,
          channels,
          min(TILE_COLUMNS, length - column),
          accumulate,
        );
      }
    }
  }
}

/**
 * 4 channels of each pixel, `stride` bytes apart, one after the other. Channels beyond the last are whatever
 * follows.
 */
function packChannels(source: usize, stride: usize, destination: usize, pixels: i32): void {
  for (; pixels > 0; pixels--) {
    v128.store(destination, v128.load(source));
    source += stride;
    destination += 16;
  }
}
