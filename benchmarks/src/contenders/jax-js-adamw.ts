/** AdamW in jax-js operations. */

import { type Array as JaxArray, numpy as np } from '@jax-js/jax';
import { ADAMW } from '../workloads.js';

export interface AdamWOperands {
  readonly weights: JaxArray;
  readonly gradient: JaxArray;
  readonly mean: JaxArray;
  readonly square: JaxArray;
  /** What `adamWFactors` gives, in this order. */
  readonly stepSize: JaxArray;
  readonly correction: JaxArray;
}

/** What differs from step to step, counted from 1. */
export function adamWFactors(step: number): [stepSize: JaxArray, correction: JaxArray] {
  const { learningRate, betas } = ADAMW;
  return [np.array(learningRate / (1 - betas[0] ** step)), np.array(1 / (1 - betas[1] ** step))];
}

/** New weights, mean and mean square; consumes the operands. */
export function adamWUpdate(operands: AdamWOperands): [JaxArray, JaxArray, JaxArray] {
  const { weights, gradient, mean, square, stepSize, correction } = operands;
  const { learningRate, epsilon, weightDecay } = ADAMW;
  const [beta1, beta2] = ADAMW.betas;
  const newMean = mean.mul(beta1).add(gradient.ref.mul(1 - beta1));
  const newSquare = square.mul(beta2).add(np.square(gradient).mul(1 - beta2));
  const denominator = np.sqrt(newSquare.ref.mul(correction)).add(epsilon);
  const change = newMean.ref.mul(stepSize).div(denominator);
  return [weights.mul(1 - learningRate * weightDecay).sub(change), newMean, newSquare];
}
