/** What the optimisers share: slots of state beside each parameter, and a step that is one plan. */

import { argumentError } from '../errors.js';
import type { Parameter } from '../parameter.js';
import { update } from '../realize.js';
import { checkStateDict } from '../state-dict.js';
import type { Tensor } from '../tensor.js';
import { loadState, type Parameters, saveState, shapesOf, zeroSlot } from './state.js';

/** What is to be written into a parameter. */
export type Update = readonly [Parameter, Tensor];

/** Something kept beside the parameters that changes with them, such as an `ExponentialMovingAverage`. */
export interface Follower {
  /** Called once in every step with the parameters' new values; what it returns is written in the same plan. */
  updates(newValues: ReadonlyMap<string, Tensor>): Iterable<Update>;
}

export interface StepOptions {
  /** For this step, in place of the optimiser's own. */
  readonly learningRate?: number;
  /** Computed in the same plan, from the parameters as they were before the step: the loss, metrics. */
  readonly realize?: readonly Tensor[];
  readonly followers?: readonly Follower[];
}

/** Pointwise formulas from a parameter, its gradient and its slots to the new parameter and the new slots. */
export type UpdateRule = (parameter: Tensor, gradient: Tensor, ...slots: Tensor[]) => [Tensor, ...Tensor[]];

export abstract class Optimizer {
  readonly parameters: Parameters;
  readonly #learningRate: number;
  readonly #slotNames: readonly string[];
  /** For each parameter its slots, in the order of their names; all zero at first. */
  readonly #slots: ReadonlyMap<string, readonly Parameter[]>;
  #steps = 0;

  protected constructor(parameters: Parameters, learningRate: number, slotNames: readonly string[]) {
    this.parameters = parameters;
    this.#learningRate = learningRate;
    this.#slotNames = slotNames;
    this.#slots = new Map(
      [...parameters].map(([name, { shape }]) => [name, slotNames.map(() => zeroSlot(shape))]),
    );
  }

  /** The formulas of one step, the first being number 1. */
  protected abstract rule(learningRate: number, step: number): UpdateRule;

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Updates every parameter in place. One plan computes the gradients, the new parameters and slots, the followers and
   * `options.realize`. Throws `STATE_DICT_MISMATCH` unless there is one gradient of the right shape for each
   * parameter, `BAD_ARGUMENT` for a learning rate that is negative or no finite number.
   */
  step(gradients: ReadonlyMap<string, Tensor>, options: StepOptions = {}): void {
    const { learningRate = this.#learningRate, realize = [], followers = [] } = options;
    if (!(learningRate >= 0 && learningRate < Number.POSITIVE_INFINITY))
      throw argumentError(
        this.constructor.name,
        `learning rate ${learningRate}`,
        'Use a finite number of at least 0.',
      );
    checkStateDict('the gradients of an optimiser', gradients, shapesOf(this.parameters));
    const step = this.#steps + 1;
    const rule = this.rule(learningRate, step);
    const newValues = new Map<string, Tensor>();
    const updates: Update[] = [];
    for (const [name, parameter] of this.parameters) {
      const slots = this.#slots.get(name) ?? [];
      const [newValue, ...newSlots] = rule(parameter, gradients.get(name) as Tensor, ...slots);
      newValues.set(name, newValue);
      updates.push([parameter, newValue]);
      slots.forEach((slot, i) => {
        updates.push([slot, newSlots[i] as Tensor]);
      });
    }
    for (const follower of followers) updates.push(...follower.updates(newValues));
    update(updates, realize);
    this.#steps = step;
  }

  /** Everything a checkpoint needs for a bit-identical continuation. Read it before the next step changes it. */
  state(): Map<string, Tensor> {
    return saveState(this.#steps, this.#namedSlots());
  }

  /** Continues where `state()` was taken. Throws `STATE_DICT_MISMATCH`. */
  async load(state: ReadonlyMap<string, Tensor>): Promise<void> {
    this.#steps = await loadState(this.constructor.name, state, this.#namedSlots());
  }

  /** Frees the memory of the slots; the parameters stay. */
  dispose(): void {
    for (const slot of this.#namedSlots().values()) slot.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #namedSlots(): Map<string, Parameter> {
    const named = new Map<string, Parameter>();
    for (const [parameter, slots] of this.#slots) {
      slots.forEach((slot, i) => {
        named.set(`${this.#slotNames[i]}.${parameter}`, slot);
      });
    }
    return named;
  }
}
