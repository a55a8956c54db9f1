/** AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101). */

import type { Tensor } from '../tensor.js';
import { Optimizer, type UpdateRule } from './optimizer.js';
import type { Parameters } from './state.js';

export interface AdamWOptions {
  readonly learningRate: number;
  /** Decay of the running means of the gradient and of its square. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Share of a parameter, times the learning rate, that is taken away in each step. Default 0.01. */
  readonly weightDecay?: number;
}

/**
 * As PyTorch's AdamW, with bias correction at step t:
 * m' = m + (1 - beta1)(g - m), v' = beta2 v + (1 - beta2) g^2,
 * p' = (1 - learningRate * weightDecay) p - learningRate / (1 - beta1^t) * m' / (sqrt(v' / (1 - beta2^t)) + epsilon).
 */
export class AdamW extends Optimizer {
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #weightDecay: number;

  constructor(parameters: Parameters, options: AdamWOptions) {
    const { learningRate, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 } = options;
    super(parameters, learningRate, ['firstMoment', 'secondMoment']);
    this.#betas = betas;
    this.#epsilon = epsilon;
    this.#weightDecay = weightDecay;
  }

  protected override rule(learningRate: number, step: number): UpdateRule {
    const [beta1, beta2] = this.#betas;
    const kept = 1 - learningRate * this.#weightDecay;
    const stepSize = learningRate / (1 - beta1 ** step);
    const correction = 1 / Math.sqrt(1 - beta2 ** step);
    return (p: Tensor, g: Tensor, m: Tensor, v: Tensor) => {
      const newM = m.add(g.sub(m).mul(1 - beta1));
      const newV = v.mul(beta2).add(g.square().mul(1 - beta2));
      const denominator = newV.sqrt().mul(correction).add(this.#epsilon);
      return [p.mul(kept).sub(newM.mul(stepSize).div(denominator)), newM, newV];
    };
  }
}
