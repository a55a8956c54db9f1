/** layerNorm on [rows, channels]: each row is a group of one position. */

import type { LayerNormKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';
import { wholeGroupNorm } from './whole-group-norm.js';

export function layerNormProgram({ rows, channels, epsilon }: LayerNormKernel, target: Target): Program {
  const sizes = { batch: rows, positions: 1, channels, groups: 1, epsilon, silu: false };
  return { scratch: [], dispatches: [wholeGroupNorm('layerNorm', sizes, target)] };
}
