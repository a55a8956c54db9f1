import type { LayerNormGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function layerNormGradProgram(_kernel: LayerNormGradKernel, _target: Target): Program {
  throw new Error('being written');
}
