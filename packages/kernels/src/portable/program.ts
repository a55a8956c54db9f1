/** The portable program of every kernel: the specification that each device is tested against. */

import { type Kernel, kernelOutputs, type MatmulKernel } from '../kernel.js';
import { attentionProgram } from './attention.js';
import { attentionGradProgram } from './attention-grad.js';
import { conv2d } from './conv2d.js';
import { conv2dFilterGrad } from './conv2d-filter-grad.js';
import { conv2dInputGrad } from './conv2d-input-grad.js';
import { gather } from './gather.js';
import { gatherGrad } from './gather-grad.js';
import { groupNormProgram } from './group-norm.js';
import { groupNormGradProgram } from './group-norm-grad.js';
import { layerNormProgram } from './layer-norm.js';
import { layerNormGradProgram } from './layer-norm-grad.js';
import { mapProgram, withEpilogue } from './map.js';
import { type MatmulConstants, matmul } from './matmul.js';
import { reduceProgram } from './reduce.js';
import { softmaxProgram } from './softmax.js';
import { input, type PortablePass, type PortableProgram, pass } from './types.js';

export function portableProgram(kernel: Kernel): PortableProgram {
  const [first, second] = [0, 1].map(input);
  const [{ elements }] = kernelOutputs(kernel);
  switch (kernel.kind) {
    case 'map':
      return mapProgram(kernel);
    case 'reduce':
      return reduceProgram(kernel);
    case 'matmul':
      return withEpilogue(pass(matmul, matmulConstants(kernel), [first, second], elements), kernel);
    case 'conv2d':
      return withEpilogue(pass(conv2d, kernel.geometry, [first, second], elements), kernel);
    case 'conv2dInputGrad':
      return withEpilogue(pass(conv2dInputGrad, kernel.geometry, [first, second], elements), kernel);
    case 'conv2dFilterGrad':
      return alone(pass(conv2dFilterGrad, kernel.geometry, [first, second], elements));
    case 'groupNorm':
      return groupNormProgram(kernel);
    case 'groupNormGrad':
      return groupNormGradProgram(kernel);
    case 'layerNorm':
      return layerNormProgram(kernel);
    case 'layerNormGrad':
      return layerNormGradProgram(kernel);
    case 'attention':
      return attentionProgram(kernel);
    case 'attentionGrad':
      return attentionGradProgram(kernel);
    case 'softmax':
      return softmaxProgram(kernel);
    case 'gather': {
      const { rows, columns } = kernel;
      return alone(pass(gather, { rows, columns }, [first, second], elements));
    }
    case 'gatherGrad': {
      const { columns, count } = kernel;
      return alone(pass(gatherGrad, { columns, count }, [first, second], elements));
    }
    default:
      return kernel satisfies never;
  }
}

const alone = (only: PortablePass): PortableProgram => ({ passes: [only], outputs: [0] });

function matmulConstants({ m, n, k, ...kernel }: MatmulKernel): MatmulConstants {
  return {
    m,
    n,
    k,
    batchStrideA: kernel.batchedA ? m * k : 0,
    rowStrideA: kernel.transposeA ? 1 : k,
    columnStrideA: kernel.transposeA ? m : 1,
    batchStrideB: kernel.batchedB ? k * n : 0,
    rowStrideB: kernel.transposeB ? 1 : n,
    columnStrideB: kernel.transposeB ? k : 1,
  };
}
