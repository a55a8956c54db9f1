/** Stochastic gradient descent with momentum. */

import { Optimizer, type UpdateRule } from './optimizer.js';
import type { Parameters } from './state.js';

export interface SGDOptions {
  readonly learningRate: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Nesterov's look-ahead form of momentum. Default false. */
  readonly nesterov?: boolean;
  /** L2 penalty added to the gradient. Default 0. */
  readonly weightDecay?: number;
}

/** As PyTorch's SGD: b' = momentum * b + g, p' = p - learningRate * b'; with nesterov p' = p - learningRate * (g + momentum * b'). */
export class SGD extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;

  constructor(parameters: Parameters, options: SGDOptions) {
    const { learningRate, momentum = 0, nesterov = false, weightDecay = 0 } = options;
    super(parameters, learningRate, momentum === 0 ? [] : ['momentum']);
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.#weightDecay = weightDecay;
  }

  protected override rule(learningRate: number): UpdateRule {
    return (p, gradient, buffer) => {
      const g = this.#weightDecay === 0 ? gradient : gradient.add(p.mul(this.#weightDecay));
      if (!buffer) return [p.sub(g.mul(learningRate))];
      const newBuffer = buffer.mul(this.#momentum).add(g);
      const direction = this.#nesterov ? g.add(newBuffer.mul(this.#momentum)) : newBuffer;
      return [p.sub(direction.mul(learningRate)), newBuffer];
    };
  }
}
