import type { AttentionKernel } from '../kernel.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function attentionProgram(_kernel: AttentionKernel, _target: Target): Program {
  throw new Error('being written');
}
