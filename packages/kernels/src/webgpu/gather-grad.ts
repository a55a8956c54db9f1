import type { GatherGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function gatherGradProgram(_kernel: GatherGradKernel, _target: Target): Program {
  throw new Error('being written');
}
