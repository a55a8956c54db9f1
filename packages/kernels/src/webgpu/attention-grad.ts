import type { AttentionGradKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function attentionGradProgram(_kernel: AttentionGradKernel, _target: Target): Program {
  throw new Error('being written');
}
