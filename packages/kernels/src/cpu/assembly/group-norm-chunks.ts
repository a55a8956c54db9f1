// What groupNorm and its gradient share: how [batch, positions, channels] is cut into chunks, and what follows the normalisation.
//
// Columns of channels are summed with no regard to groups; the few numbers per channel are then put together by group in
// float64. Positions are cut into chunks. A batch of small images has one task an image, whose chunks it takes one after
// the other while they are in its cache; few or large images have one task a chunk, with a phase for each step.

import { size } from './command';
import { sigmoid } from './math';
import { madd, nmadd } from './simd';

// Sizes, by index.
export const BATCH: i32 = 0;
export const POSITIONS: i32 = 1;
export const CHANNELS: i32 = 2;
export const GROUPS: i32 = 3;
export const SILU: i32 = 4;
/** Positions of a chunk, and number of chunks of an image. */
export const CHUNK: i32 = 5;
export const CHUNKS: i32 = 6;
/** Whether a task is a whole image. */
export const WHOLE_IMAGES: i32 = 7;
export const EPSILON: i32 = 8;

/** Floats that a pass takes channel by channel: a tile of the inputs and outputs that the first-level cache holds. */
const TILE: i32 = 2048;

/** Bytes of a row of scratch memory. */
@inline
export function rowBytes(channels: i32): usize {
  return <usize>((channels + 3) & ~3) << 2;
}

/** The rows of a chunk, which has `count` of them. */
@inline
export function chunkRows(command: usize, scratch: usize, image: i32, chunk: i32, count: i32): usize {
  return scratch + <usize>((image * size(command, CHUNKS) + chunk) * count) * rowBytes(size(command, CHANNELS));
}

/** The rows of an image, after those of all chunks. */
@inline
export function imageRows(command: usize, scratch: usize, image: i32, chunkCount: i32, count: i32): usize {
  const chunks = size(command, BATCH) * size(command, CHUNKS) * chunkCount;
  return scratch + <usize>(chunks + image * count) * rowBytes(size(command, CHANNELS));
}

/** Byte of the first element of a chunk. */
@inline
export function chunkOffset(command: usize, image: i32, chunk: i32): usize {
  const position = <usize>image * size(command, POSITIONS) + <usize>chunk * size(command, CHUNK);
  return (position * size(command, CHANNELS)) << 2;
}

@inline
export function chunkPositions(command: usize, chunk: i32): i32 {
  const length = size(command, CHUNK);
  return min(length, size(command, POSITIONS) - chunk * length);
}

/** Positions of a tile: enough that what is set up for a column of it pays. */
@inline
export function tilePositions(channels: i32): i32 {
  return max(32, TILE / channels);
}

/** What follows the normalisation: nothing, or SiLU, z sigmoid(z), whose derivative is s + z s (1 - s). */
@unmanaged
export class Plain {
  @inline
  activation(z: v128): v128 {
    return z;
  }
  @inline
  gradient(dy: v128, _xhat: v128, _scale: v128, _shift: v128): v128 {
    return dy;
  }
}

@unmanaged
export class WithSilu {
  @inline
  activation(z: v128): v128 {
    return f32x4.mul(z, sigmoid(z));
  }
  @inline
  gradient(dy: v128, xhat: v128, scale: v128, shift: v128): v128 {
    const z = madd(xhat, scale, shift);
    const s = sigmoid(z);
    return f32x4.mul(dy, madd(z, nmadd(s, s, s), s));
  }
}
