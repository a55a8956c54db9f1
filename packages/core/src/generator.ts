/**
 * Random tensors from a seed. Counter-based (Threefry-2x32-20): element i of the n-th tensor drawn depends on the seed, n and i
 * only, so results are the same on every device, and saving two numbers saves the generator.
 */

import type { DType, PointwiseOp } from '@dmpo/kernels';
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

export class Generator {
  #seed: number;
  #counter: number;

  /** @param seed an integer from 0 to 2^32 - 1 */
  constructor(seed: number, counter = 0) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
      throw argumentError('Generator', `seed ${seed}`, 'Use an integer from 0 to 4294967295.');
    this.#seed = seed;
    this.#counter = counter;
  }

  get state(): GeneratorState {
    return { seed: this.#seed, counter: this.#counter };
  }

  set state({ seed, counter }: GeneratorState) {
    this.#seed = seed;
    this.#counter = counter;
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
    if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low || high - low > 2 ** 24)
      throw argumentError(
        'integers',
        `from ${low} to ${high}`,
        'Use integers low < high, at most 2^24 apart.',
      );
    return this.uniform(shape)
      .mul(high - low)
      .cast('int32')
      .add(low);
  }

  #draw(op: Extract<PointwiseOp, `random${string}`>, shape: Shape): Tensor {
    checkShape('Generator', shape);
    const word = (value: number, dtype: DType = 'uint32') => scalar(value, shape, dtype);
    return pointwise(op, word(this.#seed), word(this.#counter++), indices(shape).cast('uint32'));
  }
}
