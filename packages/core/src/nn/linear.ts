/** Linear: an affine map of the last axis. */

import { Parameter } from '../parameter.js';
import type { Tensor } from '../tensor.js';
import { fanInUniform, type InitializationOptions } from './initialization.js';
import { Module } from './module.js';

export interface LinearOptions extends InitializationOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** y = x weight^T + bias. Weight [outFeatures, inFeatures], bias [outFeatures]. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(inFeatures: number, outFeatures: number, { bias = true, generator }: LinearOptions = {}) {
    super();
    const draw = (count: number) => fanInUniform(count, inFeatures, generator);
    this.weight = new Parameter(draw(outFeatures * inFeatures), [outFeatures, inFeatures]);
    this.bias = bias ? new Parameter(draw(outFeatures), [outFeatures]) : undefined;
  }

  /** x [..., rows, inFeatures] -> [..., rows, outFeatures]. */
  forward(x: Tensor): Tensor {
    const y = x.matmul(this.weight.transpose());
    return this.bias ? y.add(this.bias) : y;
  }
}
