/** Exponential moving average of parameters: a smoother model to sample from than the one being trained. */

import type { Module } from '../nn/module.js';
import { update } from '../realize.js';
import { checkStateDict } from '../state-dict.js';
import type { Tensor } from '../tensor.js';
import type { Follower, Update } from './optimizer.js';
import { loadState, type Parameters, saveState, shapesOf, zeroSlot } from './state.js';

export interface ExponentialMovingAverageOptions {
  /** Upper limit of the decay. Default 0.9999. */
  readonly decay?: number;
}

/**
 * average' = average - (1 - d)(average - parameter), where the decay d warms up as diffusers' EMAModel does:
 * in update number s + 1 it is min(decay, (1 + s) / (10 + s)), and 0 in the first, s = 0.
 * Give it to an optimiser's step among the `followers`.
 */
export class ExponentialMovingAverage implements Follower {
  readonly #decay: number;
  readonly #averages: Parameters;
  #steps = 0;

  /** Starts as a copy of the parameters. */
  constructor(parameters: Parameters, { decay = 0.9999 }: ExponentialMovingAverageOptions = {}) {
    this.#decay = decay;
    this.#averages = new Map([...parameters].map(([name, { shape }]) => [name, zeroSlot(shape)]));
    update(this.#paired(parameters));
  }

  /** The averages, by the parameters' names. `module.stateDict(average.values)` gives them as a file holds them. */
  get values(): ReadonlyMap<string, Tensor> {
    return this.#averages;
  }

  /** Counts one step and gives the new averages. Throws `STATE_DICT_MISMATCH`. */
  updates(newValues: ReadonlyMap<string, Tensor>): Update[] {
    checkStateDict('an exponential moving average', newValues, shapesOf(this.#averages));
    const s = this.#steps++;
    const taken = 1 - (s === 0 ? 0 : Math.min(this.#decay, (1 + s) / (10 + s)));
    return this.#paired(newValues).map(([average, value]) => [
      average,
      average.sub(average.sub(value).mul(taken)),
    ]);
  }

  /** Sets another module of the same configuration to the averages, to sample from. */
  copyTo(module: Module): void {
    module.load(module.stateDict(this.#averages));
  }

  /** Everything a checkpoint needs for a bit-identical continuation. Read it before the next step changes it. */
  state(): Map<string, Tensor> {
    return saveState(this.#steps, this.#averages);
  }

  /** Continues where `state()` was taken. Throws `STATE_DICT_MISMATCH`. */
  async load(state: ReadonlyMap<string, Tensor>): Promise<void> {
    this.#steps = await loadState('an exponential moving average', state, this.#averages);
  }

  /** Frees the memory of the averages. */
  dispose(): void {
    for (const average of this.#averages.values()) average.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #paired(values: ReadonlyMap<string, Tensor>): Update[] {
    return [...this.#averages].map(([name, average]) => [average, values.get(name) as Tensor]);
  }
}
