import type { ReduceKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function reduceProgram(_kernel: ReduceKernel, _target: Target): Program {
  throw new Error('being written');
}
