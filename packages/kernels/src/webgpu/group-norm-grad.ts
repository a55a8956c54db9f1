import type { GroupNormGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function groupNormGradProgram(_kernel: GroupNormGradKernel, _target: Target): Program {
  throw new Error('being written');
}
