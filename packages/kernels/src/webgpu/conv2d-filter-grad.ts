/** The program of a convolution's gradient in its filter. */

import type { Conv2dFilterGradKernel } from '../kernel.js';
import { filterGradGemm } from './conv2d/filter-grad-gemm.js';
import { isPointwise, pointwiseFilterGrad } from './conv2d/pointwise.js';
import { filterGradByWinograd, isWinogradSuited } from './conv2d/winograd/winograd.js';
import { epilogueCode } from './epilogue.js';
import { gemmProgram } from './gemm/gemm.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dFilterGradProgram(kernel: Conv2dFilterGradKernel, target: Target): Program {
  const g = kernel.geometry;
  const epilogue = epilogueCode(kernel);
  if (isPointwise(g)) return gemmProgram([pointwiseFilterGrad(g, epilogue)], target);
  if (isWinogradSuited(g, target)) return filterGradByWinograd(g, target);
  return gemmProgram([filterGradGemm(g, epilogue)], target);
}
