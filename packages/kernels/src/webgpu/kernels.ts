/** The program of every kernel. */

import type { Kernel } from '../kernel.js';
import type { InPlace } from '../kernel-map.js';
import { attentionProgram } from './attention.js';
import { attentionGradProgram } from './attention-grad.js';
import { conv2dProgram } from './conv2d.js';
import { conv2dFilterGradProgram } from './conv2d-filter-grad.js';
import { conv2dInputGradProgram } from './conv2d-input-grad.js';
import { gatherProgram } from './gather.js';
import { gatherGradProgram } from './gather-grad.js';
import { groupNormProgram } from './group-norm.js';
import { groupNormGradProgram } from './group-norm-grad.js';
import { layerNormProgram } from './layer-norm.js';
import { layerNormGradProgram } from './layer-norm-grad.js';
import { mapProgram } from './map.js';
import { matmulProgram } from './matmul.js';
import type { Program } from './program.js';
import { reduceProgram } from './reduce.js';
import { softmaxProgram } from './softmax.js';
import type { Target } from './target.js';

export type { InPlace };

export function kernelProgram(kernel: Kernel, target: Target, inPlace: InPlace): Program {
  switch (kernel.kind) {
    case 'map':
      return mapProgram(kernel, target, inPlace);
    case 'reduce':
      return reduceProgram(kernel, target);
    case 'matmul':
      return matmulProgram(kernel, target);
    case 'conv2d':
      return conv2dProgram(kernel, target);
    case 'conv2dInputGrad':
      return conv2dInputGradProgram(kernel, target);
    case 'conv2dFilterGrad':
      return conv2dFilterGradProgram(kernel, target);
    case 'groupNorm':
      return groupNormProgram(kernel, target);
    case 'groupNormGrad':
      return groupNormGradProgram(kernel, target);
    case 'layerNorm':
      return layerNormProgram(kernel, target);
    case 'layerNormGrad':
      return layerNormGradProgram(kernel, target);
    case 'attention':
      return attentionProgram(kernel, target);
    case 'attentionGrad':
      return attentionGradProgram(kernel, target);
    case 'softmax':
      return softmaxProgram(kernel, target);
    case 'gather':
      return gatherProgram(kernel, target);
    case 'gatherGrad':
      return gatherGradProgram(kernel, target);
    default:
      return kernel satisfies never;
  }
}
