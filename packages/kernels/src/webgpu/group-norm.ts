import type { GroupNormKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function groupNormProgram(_kernel: GroupNormKernel, _target: Target): Program {
  throw new Error('being written');
}
