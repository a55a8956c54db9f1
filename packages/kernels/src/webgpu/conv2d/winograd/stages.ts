/**
 * The dispatches around the products of Winograd's algorithm. An invocation transforms one channel of one tile or filter: vectors
 * of channels are no faster on a software adapter, and take it three times as long to compile. Only for the epilogue they pay.
 */

import type { EpilogueCode } from '../../epilogue.js';
import { type BufferUse, type Dispatch, linearGrid, type Place } from '../../program.js';
import type { Target } from '../../target.js';
import { wgsl } from '../../wgsl.js';
import type { Image } from '../taps.js';
import {
  filterGradTransform,
  filterTransform,
  PATCH,
  TILE,
  type Transform,
  tileTransform,
  transformSquare,
} from './transforms.js';

/** Tiles of 4x4 pixels that cover the images of a batch, those at the far edges partly beyond it. */
export interface Tiling {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

export const tileCount = ({ batch, rows, columns }: Tiling): number => batch * rows * columns;

/** Squares of pixels around the tiles of a tiling. */
export interface TileSquares {
  readonly label: string;
  readonly transform: Transform;
  readonly image: Image;
  readonly tiling: Tiling;
  /** Rows and columns by which a square begins before its tile. */
  readonly pad: { readonly row: number; readonly column: number };
}

/** destination[position, tile, channel]: the transformed squares. Pixels outside the image are zero. */
export function transformTiles(
  { label, transform, image, tiling, pad }: TileSquares,
  source: Place,
  destination: Place,
  target: Target,
): Dispatch {
  const { height, width, channels } = image;
  const count = tileCount(tiling) * channels;
  const code = wgsl`
    ${transform.code('f32')}
    fn load_pixel(image: u32, row: i32, column: i32, channel: u32) -> f32 {
      let is_inside = (u32(row) < ${height}u) & (u32(column) < ${width}u);
      let pixel = image * ${height * width}u + u32(row * ${width} + column);
      return select(0.0, load_source(select(0u, pixel * ${channels}u + channel, is_inside)), is_inside);
    }
  `;
  const body = [
    ...tilePosition(tiling, channels),
    `let row = i32(tile_row * ${TILE}u) - (${pad.row});`,
    `let column = i32(tile_column * ${TILE}u) - (${pad.column});`,
    '',
    ...transformSquare(transform, (r, c) => `load_pixel(image, row + ${r}, column + ${c}, channel)`),
    '',
    ...storePositions(count),
  ];
  const buffers = [buffer('source', source, 'read'), buffer('destination', destination, 'write')];
  return stage(label, count, buffers, code, body, target);
}

/** A filter [outChannels, 3, 3, inChannels]. */
export interface Filter {
  readonly outChannels: number;
  readonly inChannels: number;
}

/** destination[position, outChannel, inChannel]: the transformed filter, reversed along both sides or not. */
export function transformFilter(
  { outChannels, inChannels, isReversed }: Filter & { readonly isReversed: boolean },
  source: Place,
  destination: Place,
  target: Target,
): Dispatch {
  const count = outChannels * inChannels;
  const tap = (r: number, s: number) => (isReversed ? 8 - 3 * r - s : 3 * r + s);
  const body = [
    firstTap(inChannels),
    '',
    ...transformSquare(filterTransform, (r, s) => `load_source(first_tap + ${tap(r, s) * inChannels}u)`),
    '',
    ...storePositions(count),
  ];
  const buffers = [buffer('source', source, 'read'), buffer('destination', destination, 'write')];
  return stage('winograd filter', count, buffers, filterTransform.code('f32'), body, target);
}

/** The result's tiles from source[position, tile, channel], through the epilogue, to output 0. */
export function finishTiles(
  {
    image,
    tiling,
    epilogue,
  }: { readonly image: Image; readonly tiling: Tiling; readonly epilogue: EpilogueCode },
  source: Place,
  target: Target,
): Dispatch {
  const { height, width: columns, channels } = image;
  // Epilogues of four neighbours cost hardly more than that of one.
  const width = channels % 4 === 0 ? 4 : 1;
  const vectors = channels / width;
  const count = tileCount(tiling) * vectors;
  const [type, apply] = width === 4 ? (['vec4f', 'epilogue4'] as const) : (['f32', 'epilogue'] as const);
  const code = wgsl`
    ${tileTransform.code(type)}
    ${epilogue.code}
    fn store_pixel(image: u32, row: u32, column: u32, channel: u32, sum: ${type}) {
      if (row < ${height}u && column < ${columns}u) {
        let at = ((image * ${height}u + row) * ${columns}u + column) * ${vectors}u + channel;
        store_result(at, ${apply}(at * ${width}u, sum));
      }
    }
  `;
  const body = [
    ...tilePosition(tiling, vectors),
    `let row = tile_row * ${TILE}u;`,
    `let column = tile_column * ${TILE}u;`,
    '',
    ...transformSquare(tileTransform, loadPosition(count)),
    '',
    ...square(TILE).map(
      ([r, c]) => `store_pixel(image, row + ${r}u, column + ${c}u, channel, row_${r}[${c}]);`,
    ),
  ];
  const products: BufferUse = { ...buffer('source', source, 'read'), width };
  const result: BufferUse = { ...buffer('result', { output: 0 }, 'write'), dtype: epilogue.dtype, width };
  const buffers = [products, ...epilogue.buffers, result];
  return {
    ...stage('winograd result', count, buffers, code, body, target),
    scalars: epilogue.scalars,
  };
}

/** The gradient of a filter from source[position, outChannel, inChannel], to output 0. */
export function finishFilterGrad(
  { outChannels, inChannels }: Filter,
  source: Place,
  target: Target,
): Dispatch {
  const count = outChannels * inChannels;
  const body = [
    firstTap(inChannels),
    '',
    ...transformSquare(filterGradTransform, loadPosition(count)),
    '',
    ...square(3).map(([r, s]) => `store_result(first_tap + ${(3 * r + s) * inChannels}u, row_${r}[${s}]);`),
  ];
  const buffers = [buffer('source', source, 'read'), buffer('result', { output: 0 }, 'write')];
  return stage('winograd filter gradient', count, buffers, filterGradTransform.code('f32'), body, target);
}

const WORKGROUP = 64;

/** A dispatch of `count` invocations, which `body` tells apart by `index`. */
function stage(
  label: string,
  count: number,
  buffers: readonly BufferUse[],
  code: string,
  body: readonly string[],
  target: Target,
): Dispatch {
  const grid = linearGrid(Math.ceil(count / WORKGROUP), target);
  return {
    label,
    buffers,
    workgroups: grid.workgroups,
    code: wgsl`
      ${code}
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let index = ${grid.index} * ${WORKGROUP}u + local;
        if (index >= ${count}u) { return; }
        ${body}
      }
    `,
  };
}

/** Declares the channel, the image and the tile's place there, of index [tile, channel]. */
function tilePosition({ rows, columns }: Tiling, channels: number): string[] {
  return [
    `let channel = index % ${channels}u;`,
    `let tile = index / ${channels}u;`,
    `let image = tile / ${rows * columns}u;`,
    `let tile_row = tile / ${columns}u % ${rows}u;`,
    `let tile_column = tile % ${columns}u;`,
  ];
}

/** Declares where the first tap of a filter lies, of index [outChannel, inChannel]. */
function firstTap(inChannels: number): string {
  return `let first_tap = index / ${inChannels}u * ${9 * inChannels}u + index % ${inChannels}u;`;
}

/** Position by position, `count` elements apart, the transformed square of element `index`. */
function loadPosition(count: number): (row: number, column: number) => string {
  return (row, column) => `load_source(index + ${(row * PATCH + column) * count}u)`;
}

function storePositions(count: number): string[] {
  return square(PATCH).map(
    ([row, column], position) => `store_destination(index + ${position * count}u, row_${row}[${column}]);`,
  );
}

/** Rows and columns of a square. */
function square(side: number): [row: number, column: number][] {
  return Array.from({ length: side * side }, (_, i) => [Math.floor(i / side), i % side]);
}

function buffer(name: string, place: Place, access: 'read' | 'write'): BufferUse {
  return { name, place, dtype: 'float32', width: 1, access };
}
