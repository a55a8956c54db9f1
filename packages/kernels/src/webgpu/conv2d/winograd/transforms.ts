/**
 * The transforms of Winograd's minimal filtering F(4x4, 3x3): a 4x4 tile of the result of a 3x3 convolution from a 6x6 patch of
 * its source with 36 multiplications a channel instead of 144 (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"):
 *
 *     Y = A^T [ (G g G^T) * (B^T d B) ] A        (* is the product of elements)
 *
 * and, as its adjoint, the gradient of the filter: G^T [ sum over tiles of (A dY A^T) * (B^T d B) ] G.
 *
 * The interpolation points are 0, +-3/4, +-3/2 and infinity rather than the customary 0, +-1, +-2: every constant of A and B is
 * still exact in float32, and the error is that of about twice a direct sum instead of four times.
 */

import { wgsl } from '../../wgsl.js';

/** Rows and columns of a tile of the result, of the patch that it needs, and elements of the transformed patch. */
export const TILE = 4;
export const PATCH = 6;
export const POSITIONS = PATCH * PATCH;

const A = 3 / 4;
const B = 3 / 2;
const AA = A * A;
const BB = B * B;

// Rows of G are divided by the products of the differences of the points.
const ZERO_SCALE = 1 / (AA * BB);
const A_SCALE = 1 / (2 * AA * (AA - BB));
const B_SCALE = 1 / (2 * BB * (BB - AA));

/** A linear map of `from` numbers to `to` numbers, applied to the columns of a square and then to its rows. */
export interface Transform {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Declares the map, of single numbers or of vectors of them. */
  code(type: NumberType): string;
}

export type NumberType = 'f32' | 'vec4f';

/** B^T. */
export const patchTransform: Transform = {
  name: 'transform_patch',
  from: 6,
  to: 6,
  code: (type) => wgsl`
    fn transform_patch(d: array<${type}, 6>) -> array<${type}, 6> {
      let even_a = d[4] - ${BB} * d[2];
      let odd_a = ${A} * (d[3] - ${BB} * d[1]);
      let even_b = d[4] - ${AA} * d[2];
      let odd_b = ${B} * (d[3] - ${AA} * d[1]);
      return array(
        ${AA * BB} * d[0] - ${AA + BB} * d[2] + d[4],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        ${AA * BB} * d[1] - ${AA + BB} * d[3] + d[5],
      );
    }
  `,
};

/** G. */
export const filterTransform: Transform = {
  name: 'transform_filter',
  from: 3,
  to: 6,
  code: (type) => wgsl`
    fn transform_filter(g: array<${type}, 3>) -> array<${type}, 6> {
      let even_a = ${A_SCALE} * g[0] + ${A_SCALE * AA} * g[2];
      let odd_a = ${A_SCALE * A} * g[1];
      let even_b = ${B_SCALE} * g[0] + ${B_SCALE * BB} * g[2];
      let odd_b = ${B_SCALE * B} * g[1];
      return array(${ZERO_SCALE} * g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]);
    }
  `,
};

/** G^T. */
export const filterGradTransform: Transform = {
  name: 'transform_filter_grad',
  from: 6,
  to: 3,
  code: (type) => wgsl`
    fn transform_filter_grad(u: array<${type}, 6>) -> array<${type}, 3> {
      let even_a = u[1] + u[2];
      let even_b = u[3] + u[4];
      return array(
        ${ZERO_SCALE} * u[0] + ${A_SCALE} * even_a + ${B_SCALE} * even_b,
        ${A_SCALE * A} * (u[1] - u[2]) + ${B_SCALE * B} * (u[3] - u[4]),
        ${A_SCALE * AA} * even_a + ${B_SCALE * BB} * even_b + u[5],
      );
    }
  `,
};

/** A^T. */
export const tileTransform: Transform = {
  name: 'transform_tile',
  from: 6,
  to: 4,
  code: (type) => wgsl`
    fn transform_tile(m: array<${type}, 6>) -> array<${type}, 4> {
      let even_a = m[1] + m[2];
      let odd_a = ${A} * (m[1] - m[2]);
      let even_b = m[3] + m[4];
      let odd_b = ${B} * (m[3] - m[4]);
      return array(
        m[0] + even_a + even_b,
        odd_a + odd_b,
        ${AA} * even_a + ${BB} * even_b,
        ${AA} * odd_a + ${BB} * odd_b + m[5],
      );
    }
  `,
};

/** A. */
export const tileGradTransform: Transform = {
  name: 'transform_tile_grad',
  from: 4,
  to: 6,
  code: (type) => wgsl`
    fn transform_tile_grad(y: array<${type}, 4>) -> array<${type}, 6> {
      let even_a = y[0] + ${AA} * y[2];
      let odd_a = ${A} * (y[1] + ${AA} * y[3]);
      let even_b = y[0] + ${BB} * y[2];
      let odd_b = ${B} * (y[1] + ${BB} * y[3]);
      return array(y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]);
    }
  `,
};

/** Lines that declare the transformed square, its element (row, column) as `row_<row>[column]`, from what `load` reads. */
export function transformSquare(
  { name, from, to }: Transform,
  load: (row: number, column: number) => string,
): string[] {
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  return [
    ...range(from).map(
      (column) =>
        `let column_${column} = ${name}(array(${range(from)
          .map((row) => load(row, column))
          .join(', ')}));`,
    ),
    ...range(to).map(
      (row) =>
        `let row_${row} = ${name}(array(${range(from)
          .map((column) => `column_${column}[${row}]`)
          .join(', ')}));`,
    ),
  ];
}
