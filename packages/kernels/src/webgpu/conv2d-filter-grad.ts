/** The program of a convolution's gradient in its filter. */

import type { Conv2dFilterGradKernel } from '../kernel.js';
import { filterGradGemm } from './conv2d/filter-grad-gemm.js';
import { isPointwise, pointwiseFilterGrad } from './conv2d/pointwise.js';
import { epilogueCode } from './epilogue.js';
import { gemmProgram } from './gemm/gemm.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dFilterGradProgram(kernel: Conv2dFilterGradKernel, target: Target): Program {
  const g = kernel.geometry;
  const epilogue = epilogueCode(kernel);
  return gemmProgram(
    [isPointwise(g) ? pointwiseFilterGrad(g, epilogue) : filterGradGemm(g, epilogue)],
    target,
  );
}
