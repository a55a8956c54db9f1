/** Gradient of layerNorm: that of GroupNorm of one group over one position, without SiLU. */

import type { LayerNormGradKernel } from '../kernel.js';
import { affineNormGradProgram } from './group-norm-grad.js';
import type { PortableProgram } from './types.js';
import { input } from './types.js';

export function layerNormGradProgram({ rows, channels }: LayerNormGradKernel): PortableProgram {
  const [dy, x, scale, mean, rstd] = [0, 1, 2, 3, 4].map(input);
  return affineNormGradProgram(
    { batch: rows, positions: 1, channels, groups: 1 },
    [],
    dy,
    x,
    scale,
    mean,
    rstd,
  );
}
