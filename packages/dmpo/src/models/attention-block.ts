/** Self-attention over the positions of an image, with its norm and residual. */

import { nn, type Tensor } from '@dmpo/core';

export interface AttentionBlockOptions {
  /** Channels of one head; there are floor(channels / headDim) heads. */
  readonly headDim: number;
  /** Groups of the norm before attention; null: no norm. */
  readonly groups: number | null;
  readonly epsilon: number;
  /** The output is divided by this. Default 1. */
  readonly outputScaleFactor?: number;
}

/** diffusers' Attention as its UNet2DModel builds it, on activations [batch, height, width, channels]. */
export class AttentionBlock extends nn.Attention {
  readonly group_norm?: nn.GroupNorm;
  readonly #outputScaleFactor: number;

  constructor(
    channels: number,
    { headDim, groups, epsilon, outputScaleFactor = 1 }: AttentionBlockOptions,
    init: nn.InitializationOptions,
  ) {
    super(channels, { heads: Math.floor(channels / headDim), headDim, bias: true, ...init });
    if (groups !== null) this.group_norm = new nn.GroupNorm(groups, channels, { epsilon });
    this.#outputScaleFactor = outputScaleFactor;
  }

  override forward(x: Tensor): Tensor {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const tokens = (this.group_norm?.forward(x) ?? x).reshape(batch, height * width, channels);
    const output = super.forward(tokens).reshape(x.shape).add(x);
    return this.#outputScaleFactor === 1 ? output : output.div(this.#outputScaleFactor);
  }
}
