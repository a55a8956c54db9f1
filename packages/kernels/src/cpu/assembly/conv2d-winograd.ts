// 3 x 3 convolution with stride 1 by Winograd's F(4x4, 3x3); see winograd.ts. It serves the forward pass and
// the gradient in the input, which is the same convolution of dy with the filter reversed and its channels
// exchanged.
//
// The filter is transformed once into packed panels for each of the 36 positions. A chunk is some rows of
// tiles; it transforms a group of tiles at a time, multiplies [tiles x channels] by the panels at each
// position, and transforms back. Groups are as large as lets the transformed tiles stay in the second-level
// cache.

import { clearFloats, copyFloats, packPanelTransposed } from './pack';
import { multiplyPanels, ROW_ENTRY, TILE_COLUMNS } from './gemm-tile';
import { applyEpilogue } from './map';
import { barrier, claim } from './threads';
import {
  PATCH,
  POSITIONS,
  TILE,
  transformFilter,
  transformInput,
  transformOutput,
  WORK_BYTES,
} from './winograd';

/** Fewest output pixels that pay for transforming the filter. */
const LEAST_PIXELS: i32 = 512;
/** Fewest channels that pay for transforming tiles. */
const LEAST_CHANNELS: i32 = 8;
/** Floats of the transformed tiles of a group, and bounds on its tiles. */
const GROUP_FLOATS: i32 = 98304;
const LEAST_GROUP: i32 = 24;
const LARGEST_GROUP: i32 = 64;
/** Chunks wanted at least, if there are as many rows of tiles. */
const CHUNKS: i32 = 12;
/** Floats between the positions of a group: keeps them from falling on the same cache set. */
export const POSITION_GAP: i32 = 16;

/**
 * Whether a 3 x 3 convolution with stride 1, or its gradient, is done this way: by its output size and
 * channels.
 */
export function isWinogradSuited(
  batch: i32,
  height: i32,
  width: i32,
  inChannels: i32,
  outChannels: i32,
): bool {
  const tiled = tilesAlong(height) * tilesAlong(width) * (TILE * TILE);
  return (
    ((inChannels | outChannels) & 3) == 0 &&
    min(inChannels, outChannels) >= LEAST_CHANNELS &&
    batch * height * width >= LEAST_PIXELS &&
    tiled * 2 <= height * width * 3
  );
}

@inline
export function tilesAlong(size: i32): i32 {
  return (size + TILE - 1) / TILE;
}

/** Tiles whose transforms, `channels` floats a position altogether, are kept at a time. */
@inline
function tilesOfGroup(channels: i32): i32 {
  return max(LEAST_GROUP, min(LARGEST_GROUP, GROUP_FLOATS / (POSITIONS * channels))) & ~3;
}

/**
 * Filter transformed for the forward pass: [position][panel of 8 outputs][input][8], from OHWI. One panel.
 */
export function packWinogradFilter(
  w: usize,
  inputs: i32,
  outputs: i32,
  packed: usize,
  panel: i32,
  work: usize,
): void {
  const panels = (outputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const position = (<usize>(panels * inputs * TILE_COLUMNS)) << 2;
  const first = panel * TILE_COLUMNS;
  const filterBytes = (<usize>(9 * inputs)) << 2;
  const taps = work + WORK_BYTES;
  let to = packed + ((<usize>(panel * inputs * TILE_COLUMNS)) << 2);
  for (let input = 0; input < inputs; input += 4) {
    // taps[9][4 inputs][8 outputs]
    for (let tap = 0; tap < 9; tap++) {
      packPanelTransposed(
        w + <usize>first * filterBytes + ((<usize>(tap * inputs + input)) << 2),
        filterBytes,
        taps + <usize>(tap << 7),
        4,
        min(TILE_COLUMNS, outputs - first),
      );
    }
    for (let vector = 0; vector < 8; vector++) {
      transformFilter(taps + <usize>(vector << 4), 128, to + <usize>(vector << 4), position, work);
    }
    to += 128;
  }
}

/**
 * Filter transformed for the gradient in the input: [position][panel of 8 inputs][output][8], reversed. One
 * panel.
 */
export function packReversedWinogradFilter(
  w: usize,
  inputs: i32,
  outputs: i32,
  packed: usize,
  panel: i32,
  work: usize,
): void {
  const panels = (inputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const position = (<usize>(panels * outputs * TILE_COLUMNS)) << 2;
  const first = panel * TILE_COLUMNS;
  const columns = min(TILE_COLUMNS, inputs - first);
  const tap = (<isize>inputs) << 2;
  let to = packed + ((<usize>(panel * outputs * TILE_COLUMNS)) << 2);
  for (let output = 0; output < outputs; output++) {
    const lastTap = w + ((<usize>((output * 9 + 8) * inputs + first)) << 2);
    for (let column = 0; column < TILE_COLUMNS; column += 4) {
      const target = to + ((<usize>column) << 2);
      if (column < columns) {
        transformFilter(lastTap + ((<usize>column) << 2), -tap, target, position, work);
      } else {
        for (let p = 0; p < POSITIONS; p++) v128.store(target + <usize>p * position, f32x4.splat(0));
      }
    }
    to += 32;
  }
}

/** Bytes of a filter packed for convolveTiles. */
export function winogradFilterBytes(inputs: i32, outputs: i32): usize {
  return (<usize>(POSITIONS * inputs * ((outputs + TILE_COLUMNS - 1) & ~(TILE_COLUMNS - 1)))) << 2;
}

/** Bytes of a thread's own memory for packing and for convolveTiles. */
export function winogradAreaBytes(inputs: i32, outputs: i32): usize {
  const group = tilesOfGroup(inputs + outputs);
  const channels = group * (inputs + outputs) + inputs + 2 * POSITION_GAP;
  return WORK_BYTES + <usize>(POSITIONS * group * ROW_ENTRY) + ((<usize>(POSITIONS * channels)) << 2) + 16;
}

/** Bytes of scratch memory: the packed filter, and an area for each thread. */
export function winogradScratch(inputs: i32, outputs: i32, threads: i32): u64 {
  return <u64>winogradFilterBytes(inputs, outputs) + <u64>threads * winogradAreaBytes(inputs, outputs);
}

/**
 * destination[batch, height, width, outputs] = 3 x 3 convolution of source[batch, sourceHeight, sourceWidth,
 * inputs]; tap (r, s) of pixel (p, q) is source pixel (p + r - padTop, q + s - padLeft). `filter` is packed,
 * `area` the thread's own memory.
 */
export function convolveTiles(
  source: usize,
  sourceHeight: i32,
  sourceWidth: i32,
  inputs: i32,
  padTop: i32,
  padLeft: i32,
  destination: usize,
  batch: i32,
  height: i32,
  width: i32,
  outputs: i32,
  filter: usize,
  epilogue: usize,
  area: usize,
  thread: i32,
): void {
  const tileRows = tilesAlong(height);
  const tileColumns = tilesAlong(width);
  const group = tilesOfGroup(inputs + outputs);
  const allRows = batch * tileRows;
  const chunkRows = max(1, min(group / tileColumns, allRows / CHUNKS));
  const chunks = (allRows + chunkRows - 1) / chunkRows;

  const inputPosition = (<usize>(group * inputs + POSITION_GAP)) << 2;
  const outputPosition = (<usize>(group * outputs + POSITION_GAP)) << 2;
  const table = area + WORK_BYTES;
  const patch = table + <usize>(POSITIONS * group * ROW_ENTRY);
  const transformed = patch + ((<usize>(POSITIONS * inputs)) << 2);
  const products = transformed + <usize>POSITIONS * inputPosition;
  const segment = products + <usize>POSITIONS * outputPosition;
  const pixel = (<usize>outputs) << 2;
  const pitch = <usize>width * pixel;
  const panelBytes = (<usize>(inputs * TILE_COLUMNS)) << 2;
  const filterPosition = <usize>((outputs + TILE_COLUMNS - 1) / TILE_COLUMNS) * panelBytes;

  let isReady = false;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    if (!isReady) {
      isReady = true;
      store<usize>(segment, 0);
      fillPositions(table, group, transformed, inputPosition, inputs, products, outputPosition, outputs);
    }
    const firstRow = chunk * chunkRows;
    const lastRow = min(firstRow + chunkRows, allRows);
    const lastTile = lastRow * tileColumns;
    for (let first = firstRow * tileColumns; first < lastTile; first += group) {
      const tiles = min(group, lastTile - first);
      for (let tile = 0; tile < tiles; tile++) {
        const tileRow = (first + tile) / tileColumns;
        const image = tileRow / tileRows;
        transformPatch(
          source + ((<usize>(image * sourceHeight * sourceWidth * inputs)) << 2),
          sourceHeight,
          sourceWidth,
          inputs,
          (tileRow % tileRows) * TILE - padTop,
          ((first + tile) % tileColumns) * TILE - padLeft,
          patch,
          transformed + ((<usize>(tile * inputs)) << 2),
          inputPosition,
          area,
        );
      }
      for (let position = 0; position < POSITIONS; position++) {
        multiplyPanels(
          table + <usize>(position * group * ROW_ENTRY),
          tiles,
          segment,
          1,
          inputs,
          filter + <usize>position * filterPosition,
          panelBytes,
          0,
          outputs,
          false,
        );
      }
      for (let tile = 0; tile < tiles; tile++) {
        const tileRow = (first + tile) / tileColumns;
        const row = (tileRow % tileRows) * TILE;
        const column = ((first + tile) % tileColumns) * TILE;
        const from = products + ((<usize>(tile * outputs)) << 2);
        const to =
          destination + ((<usize>((((tileRow / tileRows) * height + row) * width + column) * outputs)) << 2);
        const isWhole = row + TILE <= height && column + TILE <= width;
        for (let channel = 0; channel < outputs; channel += 4) {
          const m = from + ((<usize>channel) << 2);
          const y = to + ((<usize>channel) << 2);
          if (isWhole) transformOutput(m, outputPosition, y, pixel, pitch, TILE, TILE, area);
          else transformOutput(m, outputPosition, y, pixel, pitch, height - row, width - column, area);
        }
      }
    }
    if (epilogue != 0) {
      const begin = pixelRow(firstRow, tileRows, height) * width * outputs;
      const end = pixelRow(lastRow, tileRows, height) * width * outputs;
      applyEpilogue(epilogue, begin, end, thread);
    }
  }
  barrier();
}

/** First row of pixels, counted through the batch, of a row of tiles. */
@inline
function pixelRow(tileRow: i32, tileRows: i32, height: i32): i32 {
  return (tileRow / tileRows) * height + (tileRow % tileRows) * TILE;
}

/** Table of rows of all positions: row `tile` of position p is entry p * group + tile. */
function fillPositions(
  table: usize,
  group: i32,
  transformed: usize,
  inputPosition: usize,
  inputs: i32,
  products: usize,
  outputPosition: usize,
  outputs: i32,
): void {
  for (let position = 0; position < POSITIONS; position++) {
    for (let tile = 0; tile < group; tile++) {
      store<usize>(table, transformed + <usize>position * inputPosition + ((<usize>(tile * inputs)) << 2));
      store<usize>(table, products + <usize>position * outputPosition + ((<usize>(tile * outputs)) << 2), 4);
      table += ROW_ENTRY;
    }
  }
}

/**
 * Transforms the 6 x 6 patch at (row, column) of an image, zero outside it, into one tile of each position.
 */
export function transformPatch(
  image: usize,
  height: i32,
  width: i32,
  channels: i32,
  row: i32,
  column: i32,
  patch: usize,
  to: usize,
  position: usize,
  work: usize,
): void {
  const pixel = (<usize>channels) << 2;
  let from = image + <usize>(row * width + column) * pixel;
  let pitch = <usize>width * pixel;
  if (row < 0 || column < 0 || row + PATCH > height || column + PATCH > width) {
    copyPatch(image, height, width, channels, row, column, PATCH, patch);
    from = patch;
    pitch = <usize>PATCH * pixel;
  }
  for (let channel = 0; channel < channels; channel += 4) {
    const offset = (<usize>channel) << 2;
    transformInput(from + offset, pixel, pitch, to + offset, position, work);
  }
}

/** Copies `size` x `size` pixels from (row, column) on, zero outside the image. */
export function copyPatch(
  image: usize,
  height: i32,
  width: i32,
  channels: i32,
  row: i32,
  column: i32,
  size: i32,
  patch: usize,
): void {
  const left = min(max(-column, 0), size);
  const right = min(max(column + size - width, 0), size - left);
  const inside = size - left - right;
  for (let r = row; r < row + size; r++) {
    if (r < 0 || r >= height || inside <= 0) {
      clearFloats(patch, size * channels);
    } else {
      const from = image + ((<usize>((r * width + column + left) * channels)) << 2);
      const middle = patch + ((<usize>(left * channels)) << 2);
      clearFloats(patch, left * channels);
      copyFloats(from, middle, inside * channels);
      clearFloats(middle + ((<usize>(inside * channels)) << 2), right * channels);
    }
    patch += (<usize>(size * channels)) << 2;
  }
}
