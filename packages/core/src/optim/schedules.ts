/**
 * Learning-rate schedules: pure functions of the number of steps already taken, with the formulas of diffusers' `get_scheduler`.
 * All of them may warm up: during the first `warmUpSteps` steps the rate rises linearly from 0, so that step 0 changes nothing.
 */

/** Learning rate of the step that follows `step` steps. */
export type Schedule = (step: number) => number;

export interface WarmUp {
  /** Default 0. */
  readonly warmUpSteps?: number;
}

export interface Decay extends WarmUp {
  /** Steps after which the rate is 0, warm-up included. */
  readonly totalSteps: number;
}

/** learningRate, always. */
export function constantSchedule(learningRate: number, { warmUpSteps = 0 }: WarmUp = {}): Schedule {
  return (step) => learningRate * warmUp(step, warmUpSteps);
}

/** learningRate * (1 - progress), where progress runs from 0 to 1 between the end of the warm-up and `totalSteps`. */
export function linearSchedule(learningRate: number, { warmUpSteps = 0, totalSteps }: Decay): Schedule {
  return (step) =>
    learningRate * warmUp(step, warmUpSteps) * Math.max(0, 1 - progress(step, warmUpSteps, totalSteps));
}

/** learningRate * (1 + cos(2 pi cycles progress)) / 2; the default of half a cycle ends at 0. */
export function cosineSchedule(
  learningRate: number,
  { warmUpSteps = 0, totalSteps, cycles = 0.5 }: Decay & { readonly cycles?: number },
): Schedule {
  return (step) => {
    const angle = 2 * Math.PI * cycles * progress(step, warmUpSteps, totalSteps);
    return learningRate * warmUp(step, warmUpSteps) * ((1 + Math.cos(angle)) / 2);
  };
}

const warmUp = (step: number, warmUpSteps: number) => (step < warmUpSteps ? step / warmUpSteps : 1);

const progress = (step: number, warmUpSteps: number, totalSteps: number) =>
  Math.max(0, step - warmUpSteps) / Math.max(1, totalSteps - warmUpSteps);
