/** AdamW in TensorFlow.js operations: its own Adam has no decoupled weight decay. */

import * as tf from '@tensorflow/tfjs-core';
import { ADAMW } from '../workloads.js';

export class TfjsAdamW {
  #weights: tf.Tensor[];
  #means: tf.Tensor[];
  #squares: tf.Tensor[];
  #steps = 0;

  /** Takes the tensors over. */
  constructor(weights: readonly tf.Tensor[]) {
    this.#weights = [...weights];
    this.#means = weights.map((tensor) => tf.zerosLike(tensor));
    this.#squares = weights.map((tensor) => tf.zerosLike(tensor));
  }

  /** Valid until the next step. */
  get weights(): readonly tf.Tensor[] {
    return this.#weights;
  }

  step(gradients: readonly tf.Tensor[]): void {
    const { learningRate, epsilon, weightDecay } = ADAMW;
    const [beta1, beta2] = ADAMW.betas;
    this.#steps++;
    const stepSize = learningRate / (1 - beta1 ** this.#steps);
    const correction = 1 / (1 - beta2 ** this.#steps);
    const before = [...this.#weights, ...this.#means, ...this.#squares];
    const after = tf.tidy(() => {
      const means = zip(this.#means, gradients, (mean, gradient) =>
        tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1)),
      );
      const squares = zip(this.#squares, gradients, (square, gradient) =>
        tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2)),
      );
      const changes = zip(means, squares, (mean, square) =>
        tf.div(tf.mul(mean, stepSize), tf.add(tf.sqrt(tf.mul(square, correction)), epsilon)),
      );
      const weights = zip(this.#weights, changes, (weight, change) =>
        tf.sub(tf.mul(weight, 1 - learningRate * weightDecay), change),
      );
      return { weights, means, squares };
    });
    this.#weights = after.weights;
    this.#means = after.means;
    this.#squares = after.squares;
    tf.dispose(before);
  }

  dispose(): void {
    tf.dispose([...this.#weights, ...this.#means, ...this.#squares]);
  }
}

function zip(
  first: readonly tf.Tensor[],
  second: readonly tf.Tensor[],
  combine: (first: tf.Tensor, second: tf.Tensor) => tf.Tensor,
): tf.Tensor[] {
  return first.map((tensor, i) => combine(tensor, second[i] as tf.Tensor));
}
