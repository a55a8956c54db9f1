/** Test data by seed: the same numbers on every machine. */

import { randomBits, randomNormal } from '../portable/random.js';

/** Standard normal float32 numbers. */
export function normals(seed: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => randomNormal(seed, 0, i));
}

/** Integers in [low, high). */
export function integers(seed: number, count: number, low: number, high: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => low + (randomBits(seed, 1, i) % (high - low)));
}

/** uint32 numbers over their whole range. */
export function bits(seed: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => randomBits(seed, 2, i));
}

/** float32 numbers spread evenly over [low, high]. */
export function spread(count: number, low: number, high: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}
