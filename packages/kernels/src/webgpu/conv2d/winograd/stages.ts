/** The dispatches around the products of Winograd's algorithm: a vector of four channels of one tile or filter per invocation. */

import type { EpilogueCode } from '../../epilogue.js';
import { type BufferUse, type Dispatch, linearGrid, type Place } from '../../program.js';
import type { Target } from '../../target.js';
import { scalarType, wgsl } from '../../wgsl.js';
import type { Image } from '../taps.js';
import {
  filterGradTransform,
  filterTransform,
  PATCH,
  POSITIONS,
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

const WORKGROUP = 64;

/**
 * destination[position, tile, channel]: transformed squares of pixels, of which the first lies `pad` before each tile. Pixels
 * outside the image are zero.
 */
export function transformTiles(
  {
    label,
    transform,
    image,
    tiling,
    pad,
  }: {
    readonly label: string;
    readonly transform: Transform;
    readonly image: Image;
    readonly tiling: Tiling;
    readonly pad: { readonly row: number; readonly column: number };
  },
  source: Place,
  destination: Place,
  target: Target,
): Dispatch {
  const vectors = image.channels / 4;
  const tiles = tileCount(tiling);
  const code = wgsl`
    ${transform.code}
    fn load_pixel(image: u32, row: i32, column: i32, vector: u32) -> vec4f {
      let is_inside = (u32(row) < ${image.height}u) & (u32(column) < ${image.width}u);
      let pixel = image * ${image.height * image.width}u + u32(row * ${image.width} + column);
      return select(vec4f(), load_source(select(0u, pixel * ${vectors}u + vector, is_inside)), is_inside);
    }
  `;
  const body = [
    `let vector = index % ${vectors}u;`,
    `let tile = index / ${vectors}u;`,
    ...tilePosition(tiling),
    `let row = i32(tile_row * ${TILE}u) - (${pad.row});`,
    `let column = i32(tile_column * ${TILE}u) - (${pad.column});`,
    '',
    ...transformSquare(transform, (r, c) => `load_pixel(image, row + ${r}, column + ${c}, vector)`),
    '',
    ...eachPosition((p, value) => `store_destination(index + ${p * tiles * vectors}u, ${value});`),
  ];
  return stage(
    label,
    tiles * vectors,
    [reads('source', source), writes('destination', destination)],
    code,
    body,
    target,
  );
}

/** destination[position, outChannel, inChannel] from a filter [outChannels, 3, 3, inChannels], reversed along both sides or not. */
export function transformFilters(
  {
    outChannels,
    inChannels,
    isReversed,
  }: {
    readonly outChannels: number;
    readonly inChannels: number;
    readonly isReversed: boolean;
  },
  source: Place,
  destination: Place,
  target: Target,
): Dispatch {
  const vectors = inChannels / 4;
  const count = outChannels * vectors;
  const tap = (r: number, s: number) => (isReversed ? 8 - 3 * r - s : 3 * r + s);
  const body = [
    `let first = index / ${vectors}u * ${9 * vectors}u + index % ${vectors}u;`,
    '',
    ...transformSquare(filterTransform, (r, s) => `load_source(first + ${tap(r, s) * vectors}u)`),
    '',
    ...eachPosition((p, value) => `store_destination(index + ${p * count}u, ${value});`),
  ];
  return stage(
    'winograd filter',
    count,
    [reads('source', source), writes('destination', destination)],
    filterTransform.code,
    body,
    target,
  );
}

/** The tiles of the result from products[position, tile, channel], through the epilogue. */
export function finishTiles(
  {
    image,
    tiling,
    epilogue,
  }: {
    readonly image: Image;
    readonly tiling: Tiling;
    readonly epilogue: EpilogueCode;
  },
  source: Place,
  target: Target,
): Dispatch {
  const { height, width, channels } = image;
  const vectors = channels / 4;
  const tiles = tileCount(tiling);
  const type = scalarType[epilogue.dtype];
  const code = wgsl`
    ${tileTransform.code}
    ${epilogue.code}
    fn store_pixel(image: u32, row: u32, column: u32, vector: u32, sums: vec4f) {
      if (row < ${height}u && column < ${width}u) {
        let at = ((image * ${height}u + row) * ${width}u + column) * ${vectors}u + vector;
        let flat = at * 4u;
        store_result(
          at,
          vec4<${type}>(
            epilogue(flat, sums.x),
            epilogue(flat + 1u, sums.y),
            epilogue(flat + 2u, sums.z),
            epilogue(flat + 3u, sums.w),
          ),
        );
      }
    }
  `;
  const square = Array.from({ length: TILE * TILE }, (_, i) => [Math.floor(i / TILE), i % TILE]);
  const body = [
    `let vector = index % ${vectors}u;`,
    `let tile = index / ${vectors}u;`,
    ...tilePosition(tiling),
    `let row = tile_row * ${TILE}u;`,
    `let column = tile_column * ${TILE}u;`,
    '',
    ...transformSquare(tileTransform, (r, c) => `load_source(index + ${(r * PATCH + c) * tiles * vectors}u)`),
    '',
    ...square.map(([r, c]) => `store_pixel(image, row + ${r}u, column + ${c}u, vector, row_${r}[${c}]);`),
  ];
  const result: BufferUse = { ...writes('result', { output: 0 }), dtype: epilogue.dtype };
  return {
    ...stage(
      'winograd result',
      tiles * vectors,
      [reads('source', source), ...epilogue.buffers, result],
      code,
      body,
      target,
    ),
    scalars: epilogue.scalars,
  };
}

/** The gradient [outChannels, 3, 3, inChannels] of a filter from products[position, outChannel, inChannel]. */
export function finishFilterGrad(
  { outChannels, inChannels }: { readonly outChannels: number; readonly inChannels: number },
  source: Place,
  target: Target,
): Dispatch {
  const vectors = inChannels / 4;
  const count = outChannels * vectors;
  const taps = Array.from({ length: 9 }, (_, tap) => tap);
  const body = [
    `let first = index / ${vectors}u * ${9 * vectors}u + index % ${vectors}u;`,
    '',
    ...transformSquare(filterGradTransform, (r, c) => `load_source(index + ${(r * PATCH + c) * count}u)`),
    '',
    ...taps.map((tap) => `store_result(first + ${tap * vectors}u, row_${Math.floor(tap / 3)}[${tap % 3}]);`),
  ];
  return stage(
    'winograd filter gradient',
    count,
    [reads('source', source), writes('result', { output: 0 })],
    filterGradTransform.code,
    body,
    target,
  );
}

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

/** Declares the image of a tile, and its place there. */
function tilePosition({ rows, columns }: Tiling): string[] {
  return [
    `let image = tile / ${rows * columns}u;`,
    `let tile_row = tile / ${columns}u % ${rows}u;`,
    `let tile_column = tile % ${columns}u;`,
  ];
}

function eachPosition(line: (position: number, value: string) => string): string[] {
  return Array.from({ length: POSITIONS }, (_, p) => line(p, `row_${Math.floor(p / PATCH)}[${p % PATCH}]`));
}

function reads(name: string, place: Place): BufferUse {
  return { name, place, dtype: 'float32', width: 4, access: 'read' };
}

function writes(name: string, place: Place): BufferUse {
  return { name, place, dtype: 'float32', width: 4, access: 'write' };
}
