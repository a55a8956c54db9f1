/** Pieces of WGSL for vectors of neighbouring channels: four where the channels come in fours, else one. */

import { type Width, wgsl, wgslType } from './wgsl.js';

/** The widest vectors that `channels` (of each row, group...) divide into. */
export function vectorWidth(channels: number): Width {
  return channels % 4 === 0 ? 4 : 1;
}

/** The sum of the elements of a vector. */
export function elementSum(width: Width, vector: string): string {
  return width === 1 ? vector : `dot(${vector}, vec4<f32>(1))`;
}

/** `vector_sigmoid`, which does not overflow. */
export function sigmoidFunction(width: Width): string {
  const type = wgslType('float32', width);
  return wgsl`
    fn vector_sigmoid(z: ${type}) -> ${type} {
      let e = exp(-abs(z));
      return select(e, ${type}(1), z >= ${type}(0)) / (1 + e);
    }
  `;
}
