/**
 * Random numbers on the host, for initial weights: the stream of PyTorch's CPU generator, so that a network built from a seed
 * has the weights that PyTorch gives it after `torch.manual_seed(seed)`.
 */

import { mersenne } from 'pure-rand/generator/mersenne';

export class HostGenerator {
  readonly #source: ReturnType<typeof mersenne>;
  /** The second number of a Box-Muller pair, kept for the next short draw. */
  #spareNormal: number | undefined;

  /** @param seed an integer from 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#source = mersenne(seed);
  }

  /** `count` numbers uniform in [low, high), from multiples of 2^-24. */
  uniform(count: number, low = 0, high = 1): Float32Array {
    const range = Math.fround(high) - Math.fround(low);
    return Float32Array.from({ length: count }, () => this.#next24() * range + Math.fround(low));
  }

  /** `count` standard normal numbers. */
  normal(count: number): Float32Array {
    return count < 16
      ? Float32Array.from({ length: count }, () => this.#nextNormal())
      : this.#manyNormals(count);
  }

  /** Box-Muller on blocks of 16: number j of a block comes from uniform numbers j and j + 8. */
  #manyNormals(count: number): Float32Array {
    const numbers = this.uniform(count);
    const transform = (begin: number) => {
      for (let j = begin; j < begin + 8; j++) {
        const radius = Math.sqrt(-2 * Math.log(1 - Number(numbers[j])));
        const angle = 2 * Math.PI * Number(numbers[j + 8]);
        numbers[j] = radius * Math.cos(angle);
        numbers[j + 8] = radius * Math.sin(angle);
      }
    };
    for (let begin = 0; begin + 16 <= count; begin += 16) transform(begin);
    if (count % 16 !== 0) {
      // The last 16 are drawn anew, those that were already transformed included.
      numbers.set(this.uniform(16), count - 16);
      transform(count - 16);
    }
    return numbers;
  }

  #nextNormal(): number {
    const spare = this.#spareNormal;
    this.#spareNormal = undefined;
    if (spare !== undefined) return spare;
    const angle = 2 * Math.PI * this.#next53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#next53()));
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #next24(): number {
    return (this.#source.next() & 0xffffff) * 2 ** -24;
  }

  #next53(): number {
    const high = this.#source.next() & 0x1fffff;
    return (high * 2 ** 32 + (this.#source.next() >>> 0)) * 2 ** -53;
  }
}

let shared = new HostGenerator(0);

/** Starts the generator that modules use when they are given none anew from a seed, as `torch.manual_seed` does. */
export function manualSeed(seed: number): void {
  shared = new HostGenerator(seed);
}

/** The generator that modules use when they are given none. Seeded with 0 at first. */
export function sharedGenerator(): HostGenerator {
  return shared;
}
