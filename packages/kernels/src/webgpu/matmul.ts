import type { MatmulKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function matmulProgram(_kernel: MatmulKernel, _target: Target): Program {
  throw new Error('being written');
}
