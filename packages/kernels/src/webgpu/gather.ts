import type { GatherKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function gatherProgram(_kernel: GatherKernel, _target: Target): Program {
  throw new Error('being written');
}
