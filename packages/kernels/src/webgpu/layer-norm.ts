import type { LayerNormKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function layerNormProgram(_kernel: LayerNormKernel, _target: Target): Program {
  throw new Error('being written');
}
