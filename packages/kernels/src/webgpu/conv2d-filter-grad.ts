import type { Conv2dFilterGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dFilterGradProgram(_kernel: Conv2dFilterGradKernel, _target: Target): Program {
  throw new Error('being written');
}
