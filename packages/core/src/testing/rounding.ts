/**
 * How far a result may lie from the exact one: as in the kernels' tests, a multiple of how far the exact result moves when every
 * float input changes by one unit of rounding, for backward stable algorithms give the exact result of inputs changed so. Added
 * to it is the rounding of intermediate values, which are of the order of 1 or of the result.
 */

import type { Tolerance } from '../../../kernels/src/testing/allclose.js';
import { Choices } from './data.js';
import type { Operand } from './operands.js';

const SAFETY = 4;

/** The leaves of operands, every float changed by a relative +-unit. */
export function moved(operands: readonly Operand[], unit: number, seed: number): Float64Array[] {
  const choices = new Choices(seed);
  return operands.map(({ leaf, dtype }) =>
    dtype === 'float32' ? leaf.data.map((x) => x * (choices.below(2) ? 1 + unit : 1 - unit)) : leaf.data,
  );
}

/** @param neighbours results for moved inputs */
export function roundingTolerance(
  exact: ArrayLike<number>,
  neighbours: readonly ArrayLike<number>[],
  unit: number,
  roundings: number,
): Tolerance {
  let movement = 0;
  for (const neighbour of neighbours)
    for (let i = 0; i < exact.length; i++) {
      const distance = Math.abs(neighbour[i] - exact[i]);
      if (Number.isFinite(distance)) movement = Math.max(movement, distance);
    }
  const size = Math.max(1, ...Array.from(exact, (x) => (Number.isFinite(x) ? Math.abs(x) : 0)));
  return () => SAFETY * Math.sqrt(roundings) * (movement + unit * size);
}
