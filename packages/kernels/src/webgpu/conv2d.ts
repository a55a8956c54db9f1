/** The program of a convolution. */

import type { Conv2dKernel } from '../kernel.js';
import { isPointwise, pointwiseForward } from './conv2d/pointwise.js';
import { tapGemm } from './conv2d/tap-gemm.js';
import { forwardTaps } from './conv2d/taps.js';
import { forwardByWinograd, isWinogradSuited } from './conv2d/winograd/winograd.js';
import { epilogueCode } from './epilogue.js';
import { gemmProgram } from './gemm/gemm.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function conv2dProgram(kernel: Conv2dKernel, target: Target): Program {
  const g = kernel.geometry;
  const epilogue = epilogueCode(kernel);
  if (isPointwise(g)) return gemmProgram([pointwiseForward(g, epilogue)], target);
  if (isWinogradSuited(g, target)) return forwardByWinograd(g, epilogue, target);
  const tap = g.inChannels;
  const filter = { sourceChannel: 1, resultChannel: g.kernelHeight * g.kernelWidth * tap, tap };
  return gemmProgram([tapGemm('conv2d', forwardTaps(g), filter, epilogue)], target);
}
