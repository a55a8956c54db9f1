/** Embedding: a learned vector for each of a number of classes. */

import { Parameter } from '../parameter.js';
import type { Tensor } from '../tensor.js';
import { sharedGenerator } from './host-generator.js';
import type { InitializationOptions } from './initialization.js';
import { Module } from './module.js';

/** Weight [count, dim], drawn from N(0, 1). */
export class Embedding extends Module {
  readonly weight: Parameter;

  constructor(count: number, dim: number, { generator = sharedGenerator() }: InitializationOptions = {}) {
    super();
    this.weight = new Parameter(generator.normal(count * dim), [count, dim]);
  }

  /** indices int32 [...] -> [..., dim]. An index outside the table gives a row of NaN. */
  forward(indices: Tensor): Tensor {
    return this.weight.gather(indices);
  }
}
