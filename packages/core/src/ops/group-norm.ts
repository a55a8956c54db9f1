/**
 * Group normalisation, optionally followed by SiLU.
 * Forward and gradient are fused kernels; the composed form states the operation in primitives and is what their derivatives are
 * taken from: y = (x - mean) * rsqrt(variance + epsilon) * scale + shift, statistics over a sample's positions and a group's channels.
 */

import { elementCount } from '@dmpo/kernels';
import { argumentError, shapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { call } from './call.js';
import { ones, zeros } from './creation.js';
import { composedFirstGradient, composedGradient } from './fused.js';

export interface GroupNormOptions {
  /** Number of groups; must divide the channels. */
  readonly groups: number;
  readonly epsilon?: number;
  readonly activation?: 'silu';
}

/** x [batch, ..., channels], scale and shift [channels] (default 1 and 0) -> like x. Wu & He 2018, arXiv 1803.08494. */
export function groupNorm(
  x: Tensor,
  scale: Tensor | undefined,
  shift: Tensor | undefined,
  options: GroupNormOptions,
): Tensor {
  const { groups, epsilon = 1e-5, activation } = options;
  const channels = x.shape[x.shape.length - 1] as number;
  if (x.shape.length < 2 || !Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw argumentError(
      'groupNorm',
      `${groups} groups for shape [${x.shape.join(', ')}]`,
      'The number of groups must divide the last axis.',
    );
  const parameters = [scale ?? ones([channels]), shift ?? zeros([channels])] as const;
  for (const parameter of parameters)
    if (parameter.shape.length !== 1 || parameter.shape[0] !== channels)
      throw shapeError('groupNorm', [x.shape, parameter.shape], `Scale and shift must be [${channels}].`);
  const batch = x.shape[0] as number;
  const sizes = {
    batch,
    positions: elementCount(x.shape.slice(1, -1)),
    channels,
    groups,
    silu: activation === 'silu',
  };
  const composed = ([x, scale, shift]: readonly Tensor[]) =>
    composedGroupNorm(x as Tensor, scale as Tensor, shift as Tensor, options);
  const composedGrad = composedFirstGradient(composed);

  const [y] = call({
    kernel: { kind: 'groupNorm', ...sizes, epsilon },
    inputs: [x, ...parameters],
    outputShapes: [x.shape, [batch, groups], [batch, groups]],
    gradient: ([g], [x, scale, shift], [, mean, rstd]) => {
      if (!g) return [];
      const inputs = [g, x, scale, shift, mean, rstd] as Tensor[];
      return call({
        kernel: { kind: 'groupNormGrad', ...sizes },
        inputs,
        outputShapes: [(x as Tensor).shape, [channels], [channels]],
        // mean and rstd follow from x: the composed form differentiates through them.
        gradient: (cotangents, inputs) => composedGradient(composedGrad, inputs.slice(0, 4), cotangents),
      });
    },
  });
  return y as Tensor;
}

/** The operation in primitives: the fused kernel's oracle and its derivative's source. */
export function composedGroupNorm(
  x: Tensor,
  scale: Tensor,
  shift: Tensor,
  { groups, epsilon = 1e-5, activation }: GroupNormOptions,
): Tensor {
  const channels = x.shape[x.shape.length - 1] as number;
  const grouped = x.reshape(x.shape[0] as number, -1, groups, channels / groups);
  const centred = grouped.sub(grouped.mean([1, 3], true));
  const rstd = centred.square().mean([1, 3], true).add(epsilon).rsqrt();
  const y = centred.mul(rstd).reshape(x.shape).mul(scale).add(shift);
  return activation === 'silu' ? y.silu() : y;
}
