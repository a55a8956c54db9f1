/** Pieces of WGSL for vectors of neighbouring channels: four where the channels come in fours, else one. */

import { wgsl } from './wgsl.js';

export type VectorWidth = 1 | 4;

/** The widest vectors that `channels` (of each row, group...) divide into. */
export function vectorWidth(channels: number): VectorWidth {
  return channels % 4 === 0 ? 4 : 1;
}

export const vectorType = { 1: 'f32', 4: 'vec4<f32>' } as const satisfies Record<VectorWidth, string>;

/** The sum of the elements of a vector. */
export function elementSum(width: VectorWidth, vector: string): string {
  return width === 1 ? vector : `dot(${vector}, vec4<f32>(1))`;
}

/** `vector_sigmoid`, which does not overflow. */
export function sigmoidFunction(width: VectorWidth): string {
  const type = vectorType[width];
  return wgsl`
    fn vector_sigmoid(z: ${type}) -> ${type} {
      let e = exp(-abs(z));
      return select(e, ${type}(1), z >= ${type}(0)) / (1 + e);
    }
  `;
}
