/** Initial values of parameters, as PyTorch's layers choose them. */

import { elementCount } from '@dmpo/kernels';
import type { Shape } from '../graph.js';
import { Parameter } from '../parameter.js';
import { type HostGenerator, sharedGenerator } from './host-generator.js';

export interface InitializationOptions {
  /** Where initial weights are drawn from. Default: one generator shared by all modules, which `manualSeed` restarts. */
  readonly generator?: HostGenerator;
}

/** U(-1/sqrt(fanIn), 1/sqrt(fanIn)), the default of linear layers and convolutions. */
export function fanInUniform(count: number, fanIn: number, generator = sharedGenerator()): Float32Array {
  const bound = 1 / Math.sqrt(fanIn);
  return generator.uniform(count, -bound, bound);
}

export function constantParameter(value: number, shape: Shape): Parameter {
  return new Parameter(new Float32Array(elementCount(shape)).fill(value), shape);
}
