/** LayerNorm: normalisation over the last axis, with a learned scale and shift. */

import { type LayerNormOptions, layerNorm } from '../ops/layer-norm.js';
import type { Parameter } from '../parameter.js';
import type { Tensor } from '../tensor.js';
import { constantParameter } from './initialization.js';
import { Module } from './module.js';

/** Weight (scale) and bias (shift) are [channels]. Ba et al. 2016, arXiv 1607.06450. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #options: LayerNormOptions;

  /** @param options `epsilon` is added to the variance; default 1e-5 */
  constructor(channels: number, options: LayerNormOptions = {}) {
    super();
    this.weight = constantParameter(1, [channels]);
    this.bias = constantParameter(0, [channels]);
    this.#options = options;
  }

  /** x [..., channels] -> like x. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.#options);
  }
}
