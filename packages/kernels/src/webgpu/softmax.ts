import type { SoftmaxKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function softmaxProgram(_kernel: SoftmaxKernel, _target: Target): Program {
  throw new Error('being written');
}
