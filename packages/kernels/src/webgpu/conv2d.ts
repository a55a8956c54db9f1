import type { Conv2dKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dProgram(_kernel: Conv2dKernel, _target: Target): Program {
  throw new Error('being written');
}
