/** Test data by seed, comparison of arrays, and fast-check with a fixed seed: the same helpers as the kernels' tests. */

import { randomBits } from '../../../kernels/src/portable/random.js';

export { expectClose, expectSameBits } from '../../../kernels/src/testing/allclose.js';
export { forAll, seeds, size } from '../../../kernels/src/testing/properties.js';
export { integers, normals } from '../../../kernels/src/testing/random-data.js';

/** Random choices by seed. */
export class Choices {
  readonly #seed: number;
  #made = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** An integer from 0 to limit - 1. */
  below(limit: number): number {
    return randomBits(this.#seed, 5, this.#made++) % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  shuffled<T>(list: readonly T[]): T[] {
    const rest = [...list];
    return list.map(() => rest.splice(this.below(rest.length), 1)[0]);
  }
}
