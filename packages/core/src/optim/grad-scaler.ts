/** Dynamic loss scaling, as PyTorch's GradScaler: keeps small gradients within the range of float16. */

import { argumentError } from '../errors.js';
import type { Tensor } from '../tensor.js';

export interface GradScalerOptions {
  /** Default 65536. */
  readonly initialScale?: number;
  /** What the scale is multiplied with after `growthInterval` good steps in a row. Default 2. */
  readonly growthFactor?: number;
  /** What the scale is multiplied with when a gradient was not finite. Default 0.5. */
  readonly backoffFactor?: number;
  /** Default 2000. */
  readonly growthInterval?: number;
}

/** All that changes. */
export interface GradScalerState {
  readonly scale: number;
  /** Good steps since the scale last changed. */
  readonly goodSteps: number;
}

const LARGEST_FLOAT32 = 2 ** 128 - 2 ** 104;

/**
 * Gradients that are rounded to float16 lose what is below 2^-24, and beyond 65504 are infinite. So the loss is multiplied by a
 * scale, and the gradients divided by it; a step whose gradients are not all finite is left out and the scale reduced; and after
 * many good steps the scale grows again:
 *
 *     const scaled = grad(scaler.scaleLoss(loss), parameters)
 *     const { grads, areFinite } = scaler.unscale(scaled)
 *     realize(areFinite, ...scaled.values())
 *     const isGood = (await areFinite.item()) !== 0
 *     if (isGood) optimizer.step(grads)
 *     scaler.update(isGood)
 */
export class GradScaler {
  readonly #growthFactor: number;
  readonly #backoffFactor: number;
  readonly #growthInterval: number;
  #scale: number;
  #goodSteps = 0;

  constructor(options: GradScalerOptions = {}) {
    const { initialScale = 65536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000 } = options;
    const isFine =
      initialScale > 0 &&
      Number.isFinite(initialScale) &&
      growthFactor >= 1 &&
      backoffFactor > 0 &&
      backoffFactor < 1 &&
      growthInterval >= 1;
    if (!isFine)
      throw argumentError(
        'GradScaler',
        `initialScale ${initialScale}, growthFactor ${growthFactor}, backoffFactor ${backoffFactor}, growthInterval ${growthInterval}`,
        'The scale is positive, it grows by a factor of at least 1 and is reduced by one below 1.',
      );
    this.#scale = initialScale;
    this.#growthFactor = growthFactor;
    this.#backoffFactor = backoffFactor;
    this.#growthInterval = growthInterval;
  }

  /** What the next loss is multiplied with. */
  get scale(): number {
    return this.#scale;
  }

  /** The loss whose gradients {@link unscale} takes. */
  scaleLoss(loss: Tensor): Tensor {
    return loss.mul(this.#scale);
  }

  /** The gradients of the loss itself, and whether all of them are finite: a bool scalar, found on the device. */
  unscale(gradients: ReadonlyMap<string, Tensor>): { grads: Map<string, Tensor>; areFinite: Tensor } {
    const [first, ...others] = [...gradients.values()].map((gradient) =>
      // The largest is NaN if any is, and NaN is not below anything.
      gradient.abs().max().le(LARGEST_FLOAT32),
    );
    if (!first) throw argumentError('GradScaler.unscale', 'no gradients', 'Give at least one.');
    return {
      grads: new Map([...gradients].map(([name, gradient]) => [name, gradient.mul(1 / this.#scale)])),
      areFinite: others.reduce((all, one) => all.logicalAnd(one), first),
    };
  }

  /** Ends a step: tells whether its gradients were finite, which decides the scale of the next. */
  update(wereFinite: boolean): void {
    this.#goodSteps = wereFinite ? this.#goodSteps + 1 : 0;
    if (!wereFinite) this.#scale *= this.#backoffFactor;
    if (this.#goodSteps < this.#growthInterval) return;
    this.#goodSteps = 0;
    // Beyond float32 there would be no way back.
    if (this.#scale * this.#growthFactor <= LARGEST_FLOAT32) this.#scale *= this.#growthFactor;
  }

  /** For a checkpoint. */
  state(): GradScalerState {
    return { scale: this.#scale, goodSteps: this.#goodSteps };
  }

  /** Continues where `state()` was taken. */
  load({ scale, goodSteps }: GradScalerState): void {
    this.#scale = scale;
    this.#goodSteps = goodSteps;
  }
}
