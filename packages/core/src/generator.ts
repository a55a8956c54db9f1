/**
 * Random tensors from a seed. Counter-based (Threefry-2x32-20): element i of the n-th tensor drawn depends on the seed, n and i
 * only, so results are the same on every device, and saving two numbers saves the generator.
 */

import type { PointwiseOp } from '@dmpo/kernels';
import { argumentError } from './errors.js';
import type { Shape } from './graph.js';
import { checkShape } from './ops/axes.js';
import { scalar } from './ops/constant.js';
import { indices } from './ops/creation.js';
import { pointwise } from './ops/pointwise.js';
import type { Tensor } from './tensor.js';

export interface GeneratorState {
  readonly seed: number;
  /** Tensors drawn so far. */
  readonly counter: number;
}

/** Uniform numbers are multiples of one part in this many. */
const RESOLUTION = 2 ** 24;

export class Generator {
  #seed: number;
  #counter: number;

  /** @param seed and counter are integers from 0 to 2^32 - 1 */
  constructor(seed: number, counter = 0) {
    this.#seed = word('seed', seed);
    this.#counter = word('counter', counter);
  }

  get state(): GeneratorState {
    return { seed: this.#seed, counter: this.#counter };
  }

  set state({ seed, counter }: GeneratorState) {
    this.#seed = word('seed', seed);
    this.#counter = word('counter', counter);
  }

  /** Standard normal float32. */
  normal(shape: Shape): Tensor {
    return this.#draw('randomNormal', shape);
  }

  /** float32 in [0, 1), multiples of 2^-24. */
  uniform(shape: Shape): Tensor {
    return this.#draw('randomUniform', shape);
  }

  /** Uniform uint32. */
  bits(shape: Shape): Tensor {
    return this.#draw('randomBits', shape);
  }

  /** Uniform int32 from low to high - 1; high - low at most 2^24. */
  integers(low: number, high: number, shape: Shape): Tensor {
    if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low || high - low > RESOLUTION)
      throw argumentError(
        'integers',
        `from ${low} to ${high}`,
        'Use integers low < high, at most 2^24 apart.',
      );
    const range = high - low;
    const uniform = this.uniform(shape);
    const position = uniform.mul(range).cast('int32');
    // float32 may have rounded the product up to a whole number that it does not reach: the remainder, in integers, tells.
    const remainder = uniform.mul(RESOLUTION).cast('int32').mul(range).sub(position.mul(RESOLUTION));
    return position.sub(remainder.lt(0).cast('int32')).add(low);
  }

  #draw(op: Extract<PointwiseOp, `random${string}`>, shape: Shape): Tensor {
    checkShape('Generator', shape);
    const key = [this.#seed, this.#counter++].map((value) => scalar(value, shape, 'uint32'));
    return pointwise(op, ...key, indices(shape).cast('uint32'));
  }
}

function word(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw argumentError('Generator', `${name} ${value}`, 'Use an integer from 0 to 4294967295.');
  return value;
}
