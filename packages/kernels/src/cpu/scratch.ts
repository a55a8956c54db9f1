/**
 * Bytes of scratch memory that each WebAssembly kernel needs: the same decisions as in the AssemblyScript file of the same
 * name under assembly/, from the sizes alone.
 */

import type { Conv2dGeometry } from '../kernel.js';

const TILE_COLUMNS = 8;

const MATMUL_BLOCK_DEPTH = 512;
const MATMUL_BLOCK_ROWS = 32;
const MATMUL_SHARED_PACK_ROWS = 192;
const MATMUL_CHUNKS = 16;
const MATMUL_SLICE_DEPTH = 1024;

/** Sizes of a product as the kernel is called with them; batch strides count floats, 0 = one matrix for the whole batch. */
export interface MatmulSizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly batchStrideA: number;
  readonly batchStrideB: number;
}

/** Bytes for `matmul`: partial sums of the slices of k, the packed B if it is shared, an area for each thread. */
export function matmulScratch(sizes: MatmulSizes, threads: number): number {
  const { n, k, transposeA, batchStrideA, batchStrideB } = sizes;
  let { batch, m } = sizes;
  if (batchStrideB === 0 && !transposeA && (batch === 1 || batchStrideA === m * k)) {
    m *= batch;
    batch = 1;
  }
  const panels = Math.ceil(n / TILE_COLUMNS);
  const isShared = batch === 1 && m >= MATMUL_SHARED_PACK_ROWS;
  const rowGroups = isShared ? Math.ceil(m / MATMUL_BLOCK_ROWS) : 1;
  const wantedColumnGroups = isShared ? 1 : Math.min(Math.ceil(MATMUL_CHUNKS / batch), Math.ceil(panels / 2));
  const columnGroup = Math.ceil(panels / wantedColumnGroups);
  const blocks = batch * rowGroups * Math.ceil(panels / columnGroup);
  const slices = Math.max(
    1,
    Math.min(Math.floor(MATMUL_CHUNKS / blocks), Math.floor(k / MATMUL_SLICE_DEPTH)),
  );

  const partials = slices > 1 ? slices * batch * m * n : 0;
  const packed = isShared ? panels * TILE_COLUMNS * k : 0;
  const areaColumns = isShared ? 0 : columnGroup * TILE_COLUMNS;
  const area =
    (areaColumns + MATMUL_BLOCK_ROWS) * Math.min(k, MATMUL_BLOCK_DEPTH) + MATMUL_BLOCK_ROWS * 2 + 16;
  return 4 * (partials + packed + threads * area);
}

const CONV2D_CHUNK_PIXELS = 64;

/** Bytes for `conv2d`: packed weights, and for each thread a table of rows and a chunk's padded input rows. */
export function conv2dScratch(geometry: Conv2dGeometry, threads: number): number {
  const g = geometry;
  if (isPlain3x3(g) && isWinogradSuited(g.batch, g.outHeight, g.outWidth, g.inChannels, g.outChannels)) {
    return winogradScratch(g.inChannels, g.outChannels, threads);
  }
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  return (
    4 *
    (packedFilter(g, g.outChannels, g.inChannels) +
      threads * (tableFloats(g, chunkRows * g.outWidth) + inputTile(g, chunkRows)))
  );
}

/** Bytes for `conv2dInputGrad`: packed weights, and for each thread a table of rows and a chunk's padded rows of dy. */
export function conv2dInputGradScratch(geometry: Conv2dGeometry, threads: number): number {
  const g = geometry;
  if (isPlain3x3(g) && isWinogradSuited(g.batch, g.inHeight, g.inWidth, g.outChannels, g.inChannels)) {
    return winogradScratch(g.outChannels, g.inChannels, threads);
  }
  const chunkRows = rowsOfChunk(g.inHeight, g.inWidth, g.strideHeight);
  const span = (count: number, stride: number, taps: number, dilation: number): number =>
    Math.floor((count - 1 + (taps - 1) * dilation) / stride) + 2;
  const tile =
    span(chunkRows, g.strideHeight, g.kernelHeight, g.dilationHeight) *
    span(g.inWidth, g.strideWidth, g.kernelWidth, g.dilationWidth) *
    g.outChannels;
  return (
    4 *
    (packedFilter(g, g.inChannels, g.outChannels) +
      threads * (tableFloats(g, chunkRows * g.inWidth) + roundUp(tile, 4)))
  );
}

const FILTER_GRAD_SLICE_PIXELS = 512;
const FILTER_GRAD_SLICES_FLOATS = 2 ** 23;
const FILTER_GRAD_PIECES = 16;
const FILTER_GRAD_GROUP_CHANNELS = 16;

/** Bytes for `conv2dFilterGrad`: the slices' gradients, and for each thread a chunk's packed dy and padded input rows. */
export function conv2dFilterGradScratch(geometry: Conv2dGeometry, threads: number): number {
  const g = geometry;
  if (isPlain3x3(g) && isWinogradSuited(g.batch, g.outHeight, g.outWidth, g.inChannels, g.outChannels)) {
    const bytes = winogradFilterGradScratch(g, threads);
    if (bytes > 0) return bytes;
  }
  const chunkRows = rowsOfChunk(g.outHeight, g.outWidth, 1);
  const chunks = g.batch * Math.ceil(g.outHeight / chunkRows);
  const filter = g.outChannels * g.kernelHeight * g.kernelWidth * g.inChannels;
  const pixels = g.batch * g.outHeight * g.outWidth;
  const wanted = Math.min(
    Math.floor(pixels / FILTER_GRAD_SLICE_PIXELS),
    Math.floor(FILTER_GRAD_SLICES_FLOATS / filter),
    FILTER_GRAD_PIECES,
    chunks,
  );
  const slices = Math.ceil(chunks / Math.ceil(chunks / Math.max(wanted, 1)));
  const groups = Math.min(
    Math.ceil(FILTER_GRAD_PIECES / slices),
    Math.ceil(g.outChannels / FILTER_GRAD_GROUP_CHANNELS),
  );
  const groupChannels = roundUp(Math.ceil(g.outChannels / groups), 4);
  const area = 4 + chunkRows * g.outWidth * groupChannels + inputTile(g, chunkRows) + 12;
  return 4 * ((slices > 1 ? slices * filter : 0) + threads * area);
}

const ATTENTION_BLOCK_QUERIES = 64;
const ATTENTION_BLOCK_KEYS = 128;
const ATTENTION_CHUNKS = 32;

/** Sizes of an attention or of its gradient. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
}

/** Bytes for `attention`: for each thread the softmax statistics of a chunk, a block of packed keys and values, its scores. */
export function attentionScratch(sizes: AttentionSizes, threads: number): number {
  const { batch, heads, queries, headDim } = sizes;
  const blocks = Math.ceil(queries / ATTENTION_BLOCK_QUERIES);
  const wanted = Math.min(blocks, Math.ceil(ATTENTION_CHUNKS / (batch * heads)));
  const groupQueries = Math.ceil(blocks / wanted) * ATTENTION_BLOCK_QUERIES;
  const block = headDim + roundUp(headDim, TILE_COLUMNS) + ATTENTION_BLOCK_QUERIES;
  return 4 * threads * (groupQueries * 2 + ATTENTION_BLOCK_QUERIES * 2 + 4 + ATTENTION_BLOCK_KEYS * block);
}

const ATTENTION_GRAD_BLOCK = 64;
const ATTENTION_GRAD_CHUNKS = 16;

/** Bytes for `attentionGrad`: partial dq of the slices of keys, and for each thread its packed blocks and scores. */
export function attentionGradScratch(sizes: AttentionSizes, threads: number): number {
  const { batch, heads, queries, keys, headDim } = sizes;
  const block = ATTENTION_GRAD_BLOCK;
  const blocks = Math.ceil(keys / block);
  const wanted = Math.min(blocks, Math.ceil(ATTENTION_GRAD_CHUNKS / (batch * heads)));
  const slices = Math.ceil(keys / (Math.ceil(blocks / wanted) * block));
  const partials = slices > 1 ? slices * batch * queries * heads * headDim : 0;
  const area = block * (2 + 2 * headDim + 3 * roundUp(headDim, TILE_COLUMNS) + 2 * block) + 4;
  return 4 * (partials + threads * area);
}

const WINOGRAD_POSITIONS = 36;
const WINOGRAD_LEAST_PIXELS = 512;
const WINOGRAD_LEAST_CHANNELS = 8;
const WINOGRAD_GROUP_FLOATS = 98304;
const WINOGRAD_LEAST_GROUP = 24;
const WINOGRAD_LARGEST_GROUP = 64;
const WINOGRAD_POSITION_GAP = 16;

function isPlain3x3(g: Conv2dGeometry): boolean {
  return (
    g.kernelHeight === 3 &&
    g.kernelWidth === 3 &&
    g.strideHeight === 1 &&
    g.strideWidth === 1 &&
    g.dilationHeight === 1 &&
    g.dilationWidth === 1
  );
}

function isWinogradSuited(
  batch: number,
  height: number,
  width: number,
  inChannels: number,
  outChannels: number,
): boolean {
  return (
    inChannels % 4 === 0 &&
    outChannels % 4 === 0 &&
    Math.min(inChannels, outChannels) >= WINOGRAD_LEAST_CHANNELS &&
    batch * height * width >= WINOGRAD_LEAST_PIXELS &&
    roundUp(height, 4) * roundUp(width, 4) * 2 <= height * width * 3
  );
}

/** As in conv2d-winograd.ts: tiles whose transforms are kept at a time. */
function tilesOfGroup(channels: number): number {
  const tiles = Math.floor(WINOGRAD_GROUP_FLOATS / (WINOGRAD_POSITIONS * channels));
  return Math.floor(Math.max(WINOGRAD_LEAST_GROUP, Math.min(WINOGRAD_LARGEST_GROUP, tiles)) / 4) * 4;
}

/** Bytes for a Winograd convolution: the transformed filter, and for each thread a group of transformed tiles. */
function winogradScratch(inputs: number, outputs: number, threads: number): number {
  const group = tilesOfGroup(inputs + outputs);
  const filter = inputs * roundUp(outputs, TILE_COLUMNS);
  const tiles = group * (inputs + outputs) + inputs + 2 * WINOGRAD_POSITION_GAP;
  const area = WINOGRAD_POSITIONS * (4 + 2 * group + tiles) + 4;
  return 4 * (WINOGRAD_POSITIONS * filter + threads * area);
}

const WINOGRAD_GRAD_SLICE_TILES = 32;
const WINOGRAD_GRAD_SLICES = 16;
const WINOGRAD_GRAD_SLICES_FLOATS = 2 ** 23;
const WINOGRAD_GRAD_PIECES = 8;
const WINOGRAD_GRAD_GROUP_CHANNELS = 32;
const WINOGRAD_GRAD_GROUP_FLOATS = 131072;
const WINOGRAD_GRAD_LEAST_GROUP = 16;
const WINOGRAD_GRAD_LARGEST_GROUP = 128;

/** Bytes for a Winograd filter gradient: the slices' sums, and for each thread a group of tiles. 0 if it is not suited. */
function winogradFilterGradScratch(g: Conv2dGeometry, threads: number): number {
  const inputs = g.inChannels;
  const outputs = g.outChannels;
  const sliceFloats = WINOGRAD_POSITIONS * (outputs * inputs + WINOGRAD_POSITION_GAP);
  if (sliceFloats > WINOGRAD_GRAD_SLICES_FLOATS) return 0;
  const tiles = g.batch * Math.ceil(g.outHeight / 4) * Math.ceil(g.outWidth / 4);
  const wanted = Math.min(
    WINOGRAD_GRAD_SLICES,
    Math.floor(tiles / WINOGRAD_GRAD_SLICE_TILES),
    Math.floor(WINOGRAD_GRAD_SLICES_FLOATS / sliceFloats),
  );
  const slices = Math.ceil(tiles / Math.ceil(tiles / Math.max(wanted, 1)));
  const groups = Math.max(
    1,
    Math.min(Math.ceil(WINOGRAD_GRAD_PIECES / slices), Math.floor(outputs / WINOGRAD_GRAD_GROUP_CHANNELS)),
  );
  const groupChannels = roundUp(Math.ceil(outputs / groups), 4);
  const channels = inputs + groupChannels;
  const tilesInCache = Math.floor(WINOGRAD_GRAD_GROUP_FLOATS / (WINOGRAD_POSITIONS * channels));
  const wantedGroup = Math.max(tilesInCache, Math.floor((inputs * groupChannels) / channels));
  const group = Math.max(WINOGRAD_GRAD_LEAST_GROUP, Math.min(WINOGRAD_GRAD_LARGEST_GROUP, wantedGroup));
  const area = WINOGRAD_POSITIONS * (8 + channels + group * channels + 2 * WINOGRAD_POSITION_GAP);
  return 4 * (slices * sliceFloats + threads * area);
}

/** As in conv2d-tile.ts: rows of `width` pixels that make a chunk. */
function rowsOfChunk(height: number, width: number, multiple: number): number {
  const units = Math.ceil(height / multiple);
  const wanted = Math.max(1, Math.floor(CONV2D_CHUNK_PIXELS / (width * multiple)));
  return Math.ceil(units / Math.ceil(units / wanted)) * multiple;
}

/** Floats of a filter packed in panels of 8 of its `columns` channels. */
function packedFilter(g: Conv2dGeometry, columns: number, depth: number): number {
  return roundUp(columns, TILE_COLUMNS) * g.kernelHeight * g.kernelWidth * depth;
}

/** Floats of the tables that describe a chunk of `pixels`: pitch, rows, offsets of the taps. */
function tableFloats(g: Conv2dGeometry, pixels: number): number {
  return 4 + (pixels + 4) * 2 + roundUp(g.kernelHeight * g.kernelWidth, 4);
}

/** Floats of the padded input rows of a chunk of output rows. */
function inputTile(g: Conv2dGeometry, chunkRows: number): number {
  const rows = (chunkRows - 1) * g.strideHeight + (g.kernelHeight - 1) * g.dilationHeight + 1;
  const columns = (g.outWidth - 1) * g.strideWidth + (g.kernelWidth - 1) * g.dilationWidth + 1;
  return roundUp(rows * columns * g.inChannels, 4);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
