/** Optimisers, and what goes with them: clipping, averaging, learning-rate schedules. */

export { AdamW, type AdamWOptions } from './adamw.js';
export { clipByGlobalNorm } from './clip-by-global-norm.js';
export {
  ExponentialMovingAverage,
  type ExponentialMovingAverageOptions,
} from './exponential-moving-average.js';
export { GradScaler, type GradScalerOptions, type GradScalerState } from './grad-scaler.js';
export { type Follower, Optimizer, type StepOptions, type Update, type UpdateRule } from './optimizer.js';
export {
  constantSchedule,
  cosineSchedule,
  type Decay,
  linearSchedule,
  type Schedule,
  type WarmUp,
} from './schedules.js';
export { SGD, type SGDOptions } from './sgd.js';
export type { Parameters } from './state.js';
