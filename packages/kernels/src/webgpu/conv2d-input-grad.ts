import type { Conv2dInputGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dInputGradProgram(_kernel: Conv2dInputGradKernel, _target: Target): Program {
  throw new Error('being written');
}
