// The transforms of Winograd's minimal filtering F(4x4, 3x3): a 4 x 4 tile of output of a 3 x 3 convolution
// from a 6 x 6 tile of input with 36 multiplications a channel instead of 144.
//
//     Y = A^T [ (G g G^T) * (B^T d B) ] A       (Lavin & Gray 2016; * is the product of elements)
//
// The interpolation points are 0, +-3/4, +-3/2 and infinity rather than the customary 0, +-1, +-2: every
// constant of A and B is still exact in float32, and the error is that of about twice a direct sum instead of
// four times. A vector is four channels; a tile of vectors lies in memory, [6][6] of them for d, g and
// products.

import { madd } from './simd';

/** Output rows and columns of a tile, input rows and columns it needs, positions of the transformed tile. */
export const TILE: i32 = 4;
export const PATCH: i32 = 6;
export const POSITIONS: i32 = 36;

const A: f32 = 0.75;
const B: f32 = 1.5;
const AA: f32 = A * A;
const BB: f32 = B * B;
const AAA: f32 = A * A * A;
const BBB: f32 = B * B * B;

// Rows of G are divided by the products of differences of the points.
const ZERO_SCALE: f64 = 1.0 / (0.75 * 0.75 * 1.5 * 1.5);
const A_SCALE: f64 = 1.0 / (2.0 * 0.75 * 0.75 * (0.75 * 0.75 - 1.5 * 1.5));
const B_SCALE: f64 = 1.0 / (2.0 * 1.5 * 1.5 * (1.5 * 1.5 - 0.75 * 0.75));

/** Bytes of a row of 6 vectors, and of the [6][6] vectors that a transform needs for itself. */
const ROW_BYTES: usize = PATCH * 16;
export const WORK_BYTES: usize = POSITIONS * 16;

/**
 * B^T d B of a 6 x 6 tile of 4 channels. Pixels of d are `pixel` bytes apart, rows `pitch`; position p of the
 * result goes to to + p * position.
 */
@inline
export function transformInput(
  d: usize,
  pixel: usize,
  pitch: usize,
  to: usize,
  position: usize,
  work: usize,
): void {
  for (let column = work; column < work + ROW_BYTES; column += 16) {
    transformInputLine(d, pitch, column, ROW_BYTES);
    d += pixel;
  }
  const step = <usize>PATCH * position;
  for (let row = work; row < work + WORK_BYTES; row += ROW_BYTES) {
    transformInputLine(row, 16, to, position);
    to += step;
  }
}

@inline
function transformInputLine(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + fromStep);
  const d2 = v128.load(from + 2 * fromStep);
  const d3 = v128.load(from + 3 * fromStep);
  const d4 = v128.load(from + 4 * fromStep);
  const d5 = v128.load(from + 5 * fromStep);
  const sum = f32x4.splat(-(AA + BB));
  const product = f32x4.splat(AA * BB);
  v128.store(to, madd(d0, product, madd(d2, sum, d4)));
  const evenA = madd(d2, f32x4.splat(-BB), d4);
  const oddA = madd(d1, f32x4.splat(-BB), d3);
  v128.store(to + toStep, madd(oddA, f32x4.splat(A), evenA));
  v128.store(to + 2 * toStep, madd(oddA, f32x4.splat(-A), evenA));
  const evenB = madd(d2, f32x4.splat(-AA), d4);
  const oddB = madd(d1, f32x4.splat(-AA), d3);
  v128.store(to + 3 * toStep, madd(oddB, f32x4.splat(B), evenB));
  v128.store(to + 4 * toStep, madd(oddB, f32x4.splat(-B), evenB));
  v128.store(to + 5 * toStep, madd(d1, product, madd(d3, sum, d5)));
}

/**
 * A^T m A: the 4 x 4 outputs of 4 channels from the products, position p at m + p * position. Pixels of the
 * output are `pixel` bytes apart, rows `pitch`; of more than 4 `rows` or `columns` left, 4 are written.
 */
@inline
export function transformOutput(
  m: usize,
  position: usize,
  to: usize,
  pixel: usize,
  pitch: usize,
  rows: i32,
  columns: i32,
  work: usize,
): void {
  const step = <usize>PATCH * position;
  for (let column = work; column < work + ROW_BYTES; column += 16) {
    transformOutputLine(m, step, column, ROW_BYTES, TILE);
    m += position;
  }
  const end = work + <usize>min(rows, TILE) * ROW_BYTES;
  for (let row = work; row < end; row += ROW_BYTES) {
    transformOutputLine(row, 16, to, pixel, columns);
    to += pitch;
  }
}

@inline
function transformOutputLine(from: usize, fromStep: usize, to: usize, toStep: usize, count: i32): void {
  const m0 = v128.load(from);
  const m1 = v128.load(from + fromStep);
  const m2 = v128.load(from + 2 * fromStep);
  const m3 = v128.load(from + 3 * fromStep);
  const m4 = v128.load(from + 4 * fromStep);
  const m5 = v128.load(from + 5 * fromStep);
  const evenA = f32x4.add(m1, m2);
  const oddA = f32x4.sub(m1, m2);
  const evenB = f32x4.add(m3, m4);
  const oddB = f32x4.sub(m3, m4);
  v128.store(to, f32x4.add(f32x4.add(m0, evenA), evenB));
  if (count > 1) v128.store(to + toStep, madd(oddB, f32x4.splat(B), f32x4.mul(oddA, f32x4.splat(A))));
  if (count > 2) v128.store(to + 2 * toStep, madd(evenB, f32x4.splat(BB), f32x4.mul(evenA, f32x4.splat(AA))));
  if (count > 3) v128.store(to + 3 * toStep, madd(oddB, f32x4.splat(BBB), madd(oddA, f32x4.splat(AAA), m5)));
}

/** G g G^T of a 3 x 3 filter of 4 channels; tap t is at g + t * tap (`tap` negative reverses the filter). */
@inline
export function transformFilter(g: usize, tap: isize, to: usize, position: usize, work: usize): void {
  for (let column = work; column < work + 48; column += 16) {
    transformFilterLine(g, <usize>(3 * tap), column, ROW_BYTES);
    g += <usize>tap;
  }
  const step = <usize>PATCH * position;
  for (let row = work; row < work + WORK_BYTES; row += ROW_BYTES) {
    transformFilterLine(row, 16, to, position);
    to += step;
  }
}

@inline
function transformFilterLine(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const g0 = v128.load(from);
  const g1 = v128.load(from + fromStep);
  const g2 = v128.load(from + 2 * fromStep);
  v128.store(to, f32x4.mul(g0, f32x4.splat(<f32>ZERO_SCALE)));
  const evenA = madd(g2, f32x4.splat(<f32>(A_SCALE * 0.5625)), f32x4.mul(g0, f32x4.splat(<f32>A_SCALE)));
  const oddA = f32x4.mul(g1, f32x4.splat(<f32>(A_SCALE * 0.75)));
  v128.store(to + toStep, f32x4.add(evenA, oddA));
  v128.store(to + 2 * toStep, f32x4.sub(evenA, oddA));
  const evenB = madd(g2, f32x4.splat(<f32>(B_SCALE * 2.25)), f32x4.mul(g0, f32x4.splat(<f32>B_SCALE)));
  const oddB = f32x4.mul(g1, f32x4.splat(<f32>(B_SCALE * 1.5)));
  v128.store(to + 3 * toStep, f32x4.add(evenB, oddB));
  v128.store(to + 4 * toStep, f32x4.sub(evenB, oddB));
  v128.store(to + 5 * toStep, g2);
}

/** A dy A^T of a 4 x 4 tile of 4 channels, the adjoint of transformOutput. */
@inline
export function transformGradient(
  dy: usize,
  pixel: usize,
  pitch: usize,
  to: usize,
  position: usize,
  work: usize,
): void {
  for (let column = work; column < work + 64; column += 16) {
    transformGradientLine(dy, pitch, column, ROW_BYTES);
    dy += pixel;
  }
  const step = <usize>PATCH * position;
  for (let row = work; row < work + WORK_BYTES; row += ROW_BYTES) {
    transformGradientLine(row, 16, to, position);
    to += step;
  }
}

@inline
function transformGradientLine(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const y0 = v128.load(from);
  const y1 = v128.load(from + fromStep);
  const y2 = v128.load(from + 2 * fromStep);
  const y3 = v128.load(from + 3 * fromStep);
  v128.store(to, y0);
  const evenA = madd(y2, f32x4.splat(AA), y0);
  const oddA = madd(y3, f32x4.splat(AAA), f32x4.mul(y1, f32x4.splat(A)));
  v128.store(to + toStep, f32x4.add(evenA, oddA));
  v128.store(to + 2 * toStep, f32x4.sub(evenA, oddA));
  const evenB = madd(y2, f32x4.splat(BB), y0);
  const oddB = madd(y3, f32x4.splat(BBB), f32x4.mul(y1, f32x4.splat(B)));
  v128.store(to + 3 * toStep, f32x4.add(evenB, oddB));
  v128.store(to + 4 * toStep, f32x4.sub(evenB, oddB));
  v128.store(to + 5 * toStep, y3);
}

/**
 * G^T u G, the 3 x 3 filter gradient of 4 channels, the adjoint of transformFilter; `u` is [6][6] vectors.
 */
@inline
export function transformFilterGradient(u: usize, to: usize, tap: usize, work: usize): void {
  for (let column = work; column < work + ROW_BYTES; column += 16) {
    transformFilterGradientLine(u, ROW_BYTES, column, ROW_BYTES);
    u += 16;
  }
  for (let row = work; row < work + 3 * ROW_BYTES; row += ROW_BYTES) {
    transformFilterGradientLine(row, 16, to, tap);
    to += 3 * tap;
  }
}

@inline
function transformFilterGradientLine(from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const u0 = v128.load(from);
  const u1 = v128.load(from + fromStep);
  const u2 = v128.load(from + 2 * fromStep);
  const u3 = v128.load(from + 3 * fromStep);
  const u4 = v128.load(from + 4 * fromStep);
  const u5 = v128.load(from + 5 * fromStep);
  const evenA = f32x4.add(u1, u2);
  const evenB = f32x4.add(u3, u4);
  const scaled = madd(
    evenB,
    f32x4.splat(<f32>B_SCALE),
    madd(evenA, f32x4.splat(<f32>A_SCALE), f32x4.mul(u0, f32x4.splat(<f32>ZERO_SCALE))),
  );
  v128.store(to, scaled);
  const oddA = f32x4.mul(f32x4.sub(u1, u2), f32x4.splat(<f32>(A_SCALE * 0.75)));
  v128.store(to + toStep, madd(f32x4.sub(u3, u4), f32x4.splat(<f32>(B_SCALE * 1.5)), oddA));
  const squareA = madd(evenA, f32x4.splat(<f32>(A_SCALE * 0.5625)), u5);
  v128.store(to + 2 * toStep, madd(evenB, f32x4.splat(<f32>(B_SCALE * 2.25)), squareA));
}
