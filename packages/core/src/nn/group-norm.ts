/** GroupNorm: normalisation over groups of channels, with a learned scale and shift per channel. */

import { groupNorm } from '../ops/group-norm.js';
import type { Parameter } from '../parameter.js';
import type { Tensor } from '../tensor.js';
import { constantParameter } from './initialization.js';
import { Module } from './module.js';

export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** Weight (scale) and bias (shift) are [channels]. Wu & He 2018, arXiv 1803.08494. */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #groups: number;
  readonly #epsilon: number;

  constructor(groups: number, channels: number, { epsilon = 1e-5 }: GroupNormOptions = {}) {
    super();
    this.weight = constantParameter(1, [channels]);
    this.bias = constantParameter(0, [channels]);
    this.#groups = groups;
    this.#epsilon = epsilon;
  }

  /** x [batch, ..., channels] -> like x; with `activation` followed by it in the same kernel. */
  forward(x: Tensor, options: { readonly activation?: 'silu' } = {}): Tensor {
    return groupNorm(x, this.weight, this.bias, { groups: this.#groups, epsilon: this.#epsilon, ...options });
  }
}
