// Gradient of a plain 3 x 3 convolution in its filter, as the adjoint of Winograd's F(4x4, 3x3):
//
//     dg = G^T [ sum over tiles of (A dy A^T) * (B^T d B) ] G
//
// so that each tile costs 36 products a pair of channels instead of 144. Tiles are cut into slices; each
// slice sums its products of all 36 positions in scratch memory, and the slices are added in order and
// transformed back at the end.

import { Conv2dGeometry } from './conv2d-tile';
import { copyPatch, isWinogradSuited, POSITION_GAP, tilesAlong, transformPatch } from './conv2d-winograd';
import { multiplyOuter, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { barrier, claim } from './threads';
import { POSITIONS, TILE, transformFilterGradient, transformGradient, WORK_BYTES } from './winograd';

/** Least tiles of a slice, most slices, and most floats that they take together. */
const SLICE_TILES: i32 = 32;
const SLICES: i32 = 16;
const SLICES_FLOATS: i32 = 1 << 23;
/** Pieces of work wanted at least, and the fewest output channels worth dividing by to get them. */
const PIECES: i32 = 8;
const GROUP_CHANNELS: i32 = 32;

/** Floats of the transformed tiles of a group, and bounds on its tiles. */
const GROUP_FLOATS: i32 = 131072;
const LEAST_GROUP: i32 = 16;
const LARGEST_GROUP: i32 = 128;

/** Whether the gradient is computed this way. */
export function isWinogradFilterGradSuited(g: Conv2dGeometry): bool {
  return (
    isWinogradSuited(g.batch, g.outHeight, g.outWidth, g.inChannels, g.outChannels) &&
    sliceFloats(g) <= SLICES_FLOATS
  );
}

/** Floats of the sums of one slice: [position][output][input], positions apart by a gap. */
@inline
function sliceFloats(g: Conv2dGeometry): i32 {
  return POSITIONS * (g.outChannels * g.inChannels + POSITION_GAP);
}

/** dw of conv2dFilterGrad; see there. */
export function filterGradByWinograd(
  g: Conv2dGeometry,
  x: usize,
  dy: usize,
  dw: usize,
  scratch: usize,
  thread: i32,
): void {
  const inputs = g.inChannels;
  const outputs = g.outChannels;
  const tiles = tilesOf(g);
  const slices = slicesOf(g);
  const sliceTiles = (tiles + slices - 1) / slices;
  const groupChannels = groupChannelsOf(g);
  const groups = (outputs + groupChannels - 1) / groupChannels;
  const area =
    scratch + ((<usize>(slices * sliceFloats(g))) << 2) + <usize>thread * areaBytes(g, groupChannels);

  const pieces = slices * groups;
  for (let piece = claim(); piece < pieces; piece = claim()) {
    const slice = piece / groups;
    const firstChannel = (piece % groups) * groupChannels;
    addTiles(
      g,
      x,
      dy,
      scratch + ((<usize>(slice * sliceFloats(g))) << 2),
      slice * sliceTiles,
      min((slice + 1) * sliceTiles, tiles),
      firstChannel,
      min(groupChannels, outputs - firstChannel),
      area,
    );
  }
  barrier();

  for (let output = claim(); output < outputs; output = claim()) {
    sumPositions(g, scratch, dw, output, slices, area);
  }
  barrier();
}

/** Bytes of scratch memory: the sums of the slices, and an area for each thread. */
export function winogradFilterGradScratch(g: Conv2dGeometry, threads: i32): u64 {
  const sums = (<u64>slicesOf(g) * sliceFloats(g)) << 2;
  return sums + <u64>threads * areaBytes(g, groupChannelsOf(g));
}

@inline
function tilesOf(g: Conv2dGeometry): i32 {
  return g.batch * tilesAlong(g.outHeight) * tilesAlong(g.outWidth);
}

/** Slices of equally many tiles, but for the last. */
function slicesOf(g: Conv2dGeometry): i32 {
  const tiles = tilesOf(g);
  const wanted = max(1, min(min(SLICES, tiles / SLICE_TILES), SLICES_FLOATS / sliceFloats(g)));
  const sliceTiles = (tiles + wanted - 1) / wanted;
  return (tiles + sliceTiles - 1) / sliceTiles;
}

/** Output channels of a piece of work, whole tiles. */
function groupChannelsOf(g: Conv2dGeometry): i32 {
  const slices = slicesOf(g);
  const groups = max(1, min((PIECES + slices - 1) / slices, g.outChannels / GROUP_CHANNELS));
  return ((g.outChannels + groups - 1) / groups + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
}

/**
 * Tiles that are transformed at a time: as many as stay in the second-level cache, but enough that the sums,
 * which are read and written once for each group, do not cost more than the tiles.
 */
@inline
function tilesOfGroup(inputs: i32, outputs: i32): i32 {
  const channels = inputs + outputs;
  const tiles = max(GROUP_FLOATS / (POSITIONS * channels), (inputs * outputs) / channels);
  return max(LEAST_GROUP, min(LARGEST_GROUP, tiles)) & ~3;
}

/** A thread's own memory: work space, a patch, and a group of transformed tiles of x and of dy. */
function areaBytes(g: Conv2dGeometry, groupChannels: i32): usize {
  const channels = g.inChannels + groupChannels;
  const tiles = POSITIONS * (tilesOfGroup(g.inChannels, groupChannels) * channels + 2 * POSITION_GAP);
  return 2 * WORK_BYTES + ((<usize>(patchFloats(g) + tiles)) << 2);
}

/** Floats of a patch of x, or of a tile of dy: both with all their channels. */
@inline
function patchFloats(g: Conv2dGeometry): i32 {
  return max(POSITIONS * g.inChannels, TILE * TILE * g.outChannels);
}

/**
 * Sums tiles first..last into the slice's sums of output channels firstChannel.., a group of tiles at a time.
 */
function addTiles(
  g: Conv2dGeometry,
  x: usize,
  dy: usize,
  sums: usize,
  firstTile: i32,
  lastTile: i32,
  firstChannel: i32,
  channels: i32,
  area: usize,
): void {
  const inputs = g.inChannels;
  const tileRows = tilesAlong(g.outHeight);
  const tileColumns = tilesAlong(g.outWidth);
  const group = tilesOfGroup(inputs, groupChannelsOf(g));
  const patch = area + 2 * WORK_BYTES;
  const inputTiles = patch + ((<usize>patchFloats(g)) << 2);
  const inputPosition = (<usize>(group * inputs + POSITION_GAP)) << 2;
  const gradientTiles = inputTiles + <usize>POSITIONS * inputPosition;
  const gradientPosition = (<usize>(group * channels + POSITION_GAP)) << 2;

  const groups = (lastTile - firstTile + group - 1) / group;
  const step = (lastTile - firstTile + groups - 1) / groups;
  for (let first = firstTile; first < lastTile; first += step) {
    const tiles = min(step, lastTile - first);
    for (let tile = 0; tile < tiles; tile++) {
      const tileRow = (first + tile) / tileColumns;
      const image = tileRow / tileRows;
      const row = (tileRow % tileRows) * TILE;
      const column = ((first + tile) % tileColumns) * TILE;
      transformPatch(
        x + ((<usize>(image * g.inHeight * g.inWidth * inputs)) << 2),
        g.inHeight,
        g.inWidth,
        inputs,
        row - g.padTop,
        column - g.padLeft,
        patch,
        inputTiles + ((<usize>(tile * inputs)) << 2),
        inputPosition,
        area,
      );
      transformGradientPatch(
        g,
        dy + ((<usize>(image * g.outHeight * g.outWidth * g.outChannels)) << 2),
        row,
        column,
        firstChannel,
        channels,
        patch,
        gradientTiles + ((<usize>(tile * channels)) << 2),
        gradientPosition,
        area,
      );
    }

    const inputStep = (<usize>inputs) << 2;
    for (let position = 0; position < POSITIONS; position++) {
      const a = gradientTiles + <usize>position * gradientPosition;
      const b = inputTiles + <usize>position * inputPosition;
      const to =
        sums + ((<usize>(position * (g.outChannels * inputs + POSITION_GAP) + firstChannel * inputs)) << 2);
      for (let column = 0; column < inputs; column += TILE_COLUMNS) {
        multiplyOuter(
          a,
          (<usize>channels) << 2,
          TILE_ROWS << 2,
          b + ((<usize>column) << 2),
          1,
          tiles,
          inputStep,
          0,
          to + ((<usize>column) << 2),
          inputStep,
          channels,
          min(TILE_COLUMNS, inputs - column),
          first > firstTile,
        );
      }
    }
  }
}

/**
 * Transforms the 4 x 4 tile at (row, column) of one image of dy, zero outside it, for some of its channels.
 */
function transformGradientPatch(
  g: Conv2dGeometry,
  image: usize,
  row: i32,
  column: i32,
  firstChannel: i32,
  channels: i32,
  patch: usize,
  to: usize,
  position: usize,
  work: usize,
): void {
  const pixel = (<usize>g.outChannels) << 2;
  let from = image + <usize>(row * g.outWidth + column) * pixel;
  let pitch = <usize>g.outWidth * pixel;
  if (row + TILE > g.outHeight || column + TILE > g.outWidth) {
    copyPatch(image, g.outHeight, g.outWidth, g.outChannels, row, column, TILE, patch);
    from = patch;
    pitch = <usize>TILE * pixel;
  }
  from += (<usize>firstChannel) << 2;
  for (let channel = 0; channel < channels; channel += 4) {
    const offset = (<usize>channel) << 2;
    transformGradient(from + offset, pixel, pitch, to + offset, position, work);
  }
}

/** dw of one output channel: the sum of its slices at each position, transformed back. */
function sumPositions(
  g: Conv2dGeometry,
  sums: usize,
  dw: usize,
  output: i32,
  slices: i32,
  area: usize,
): void {
  const inputs = g.inChannels;
  const position = (<usize>(g.outChannels * inputs + POSITION_GAP)) << 2;
  const slice = (<usize>sliceFloats(g)) << 2;
  const total = area + WORK_BYTES;
  for (let input = 0; input < inputs; input += 4) {
    const from = sums + ((<usize>(output * inputs + input)) << 2);
    for (let p = 0; p < POSITIONS; p++) {
      let at = from + <usize>p * position;
      let sum = v128.load(at);
      for (let s = 1; s < slices; s++) {
        at += slice;
        sum = f32x4.add(sum, v128.load(at));
      }
      v128.store(total + <usize>(p << 4), sum);
    }
    transformFilterGradient(
      total,
      dw + ((<usize>(output * 9 * inputs + input)) << 2),
      (<usize>inputs) << 2,
      area,
    );
  }
}
