/**
 * Layer normalisation over the last axis: y = (x - mean) * rsqrt(variance + epsilon) * scale + shift.
 * Forward and gradient are fused kernels; the composed form is what their derivatives are taken from.
 */

import { elementCount } from '@dmpo/kernels';
import { shapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { call } from './call.js';
import { ones, zeros } from './creation.js';
import { composedFirstGradient, composedGradient } from './fused.js';

export interface LayerNormOptions {
  readonly epsilon?: number;
}

/** x [..., channels], scale and shift [channels] (default 1 and 0) -> like x. Ba et al. 2016, arXiv 1607.06450. */
export function layerNorm(x: Tensor, scale?: Tensor, shift?: Tensor, options: LayerNormOptions = {}): Tensor {
  const { epsilon = 1e-5 } = options;
  const channels = x.shape[x.shape.length - 1];
  if (channels === undefined) throw shapeError('layerNorm', [x.shape], 'The tensor needs at least one axis.');
  const parameters = [scale ?? ones([channels]), shift ?? zeros([channels])] as const;
  for (const parameter of parameters)
    if (parameter.shape.length !== 1 || parameter.shape[0] !== channels)
      throw shapeError('layerNorm', [x.shape, parameter.shape], `Scale and shift must be [${channels}].`);
  const rows = elementCount(x.shape) / channels;
  const composed = ([x, scale, shift]: readonly Tensor[]) =>
    composedLayerNorm(x as Tensor, scale as Tensor, shift as Tensor, options);
  const composedGrad = composedFirstGradient(composed);

  const [y] = call({
    kernel: { kind: 'layerNorm', rows, channels, epsilon },
    inputs: [x, ...parameters],
    outputShapes: [x.shape, [rows], [rows]],
    gradient: ([g], [x, scale, shift], [, mean, rstd]) => {
      if (!g) return [];
      const gradients = call({
        kernel: { kind: 'layerNormGrad', rows, channels },
        inputs: [g, x, scale, mean, rstd] as Tensor[],
        outputShapes: [(x as Tensor).shape, [channels], [channels]],
        // mean and rstd follow from x: the composed form differentiates through them. The shift adds nothing to a gradient.
        gradient: (cotangents, [dy, x, scale]) =>
          composedGradient(
            ([dy, x, scale]) => composedGrad([dy, x, scale, (shift as Tensor).detach()] as Tensor[]),
            [dy, x, scale] as Tensor[],
            cotangents,
          ),
      });
      return gradients;
    },
  });
  return y as Tensor;
}

/** The operation in primitives: the fused kernel's oracle and its derivative's source. */
export function composedLayerNorm(
  x: Tensor,
  scale: Tensor,
  shift: Tensor,
  { epsilon = 1e-5 }: LayerNormOptions,
): Tensor {
  const centred = x.sub(x.mean(-1, true));
  const rstd = centred.square().mean(-1, true).add(epsilon).rsqrt();
  return centred.mul(rstd).mul(scale).add(shift);
}
