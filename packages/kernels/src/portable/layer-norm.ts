/** LayerNorm: GroupNorm of one group over one position, each row being an image of its own. */

import type { LayerNormKernel } from '../kernel.js';
import { groupNormProgram } from './group-norm.js';
import type { PortableProgram } from './types.js';

export function layerNormProgram({
  inputs,
  scalars,
  rows,
  channels,
  epsilon,
}: LayerNormKernel): PortableProgram {
  return groupNormProgram({
    kind: 'groupNorm',
    inputs,
    scalars,
    batch: rows,
    positions: 1,
    channels,
    groups: 1,
    epsilon,
    silu: false,
  });
}
