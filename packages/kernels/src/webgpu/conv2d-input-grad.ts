/** The program of a convolution's gradient in its input. */

import type { Conv2dInputGradKernel } from '../kernel.js';
import { isPointwise, pointwiseInputGrad } from './conv2d/pointwise.js';
import { tapGemm } from './conv2d/tap-gemm.js';
import { inputGradTaps } from './conv2d/taps.js';
import { inputGradByWinograd, isWinogradSuited } from './conv2d/winograd/winograd.js';
import { epilogueCode } from './epilogue.js';
import { gemmProgram } from './gemm/gemm.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dInputGradProgram(kernel: Conv2dInputGradKernel, target: Target): Program {
  const g = kernel.geometry;
  const epilogue = epilogueCode(kernel);
  if (isPointwise(g)) return gemmProgram([pointwiseInputGrad(g, epilogue)], target);
  if (isWinogradSuited(g, target)) return inputGradByWinograd(g, epilogue, target);
  const tap = g.inChannels;
  const filter = { sourceChannel: g.kernelHeight * g.kernelWidth * tap, resultChannel: 1, tap };
  const gemms = inputGradTaps(g).map((sum) => tapGemm('conv2d input gradient', sum, filter, epilogue));
  return gemmProgram(gemms, target);
}
