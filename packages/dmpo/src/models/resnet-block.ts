/** Residual blocks: the convolutions of a diffusion UNet, told the timestep. */

import { nn, type Tensor } from '@dmpo/core';

export interface ResnetBlockOptions {
  /** Size of the time embedding. */
  readonly timeEmbeddingDim: number;
  readonly groups: number;
  readonly epsilon: number;
  /** How the time embedding enters: added before the second norm, or scaling and shifting its result. Default 'default'. */
  readonly timeScaleShift?: 'default' | 'scale_shift';
  /** The output is divided by this. Default 1. */
  readonly outputScaleFactor?: number;
  /** Halve or double height and width inside the block, on both branches. Default neither. */
  readonly resample?: 'down' | 'up';
}

/** diffusers' ResnetBlock2D, activations [batch, height, width, channels]. */
export class ResnetBlock2D extends nn.Module {
  readonly norm1: nn.GroupNorm;
  readonly conv1: nn.Conv2d;
  readonly time_emb_proj: nn.Linear;
  readonly norm2: nn.GroupNorm;
  readonly conv2: nn.Conv2d;
  readonly conv_shortcut?: nn.Conv2d;

  constructor(
    inChannels: number,
    outChannels: number,
    private readonly options: ResnetBlockOptions,
    init: nn.InitializationOptions,
  ) {
    super();
    const { timeEmbeddingDim, groups, epsilon, timeScaleShift } = options;
    const projected = timeScaleShift === 'scale_shift' ? 2 * outChannels : outChannels;
    this.norm1 = new nn.GroupNorm(groups, inChannels, { epsilon });
    this.conv1 = new nn.Conv2d(inChannels, outChannels, 3, { padding: 1, ...init });
    this.time_emb_proj = new nn.Linear(timeEmbeddingDim, projected, init);
    this.norm2 = new nn.GroupNorm(groups, outChannels, { epsilon });
    this.conv2 = new nn.Conv2d(outChannels, outChannels, 3, { padding: 1, ...init });
    if (inChannels !== outChannels) this.conv_shortcut = new nn.Conv2d(inChannels, outChannels, 1, init);
  }

  /** @param activatedEmbedding SiLU of the time embedding, [batch, timeEmbeddingDim] or [1, timeEmbeddingDim] */
  forward(x: Tensor, activatedEmbedding: Tensor): Tensor {
    const { timeScaleShift, outputScaleFactor = 1, resample } = this.options;
    const time = this.time_emb_proj.forward(activatedEmbedding).unsqueeze(1).unsqueeze(1);
    let hidden = this.conv1.forward(resized(this.norm1.forward(x, { activation: 'silu' }), resample));
    if (timeScaleShift === 'scale_shift') {
      const [scale, shift] = time.split(2, 3) as [Tensor, Tensor];
      hidden = this.norm2.forward(hidden).mul(scale.add(1)).add(shift).silu();
    } else hidden = this.norm2.forward(hidden.add(time), { activation: 'silu' });
    const shortcut = resized(x, resample);
    const residual = this.conv_shortcut ? this.conv_shortcut.forward(shortcut) : shortcut;
    const output = this.conv2.forward(hidden).add(residual);
    return outputScaleFactor === 1 ? output : output.div(outputScaleFactor);
  }
}

/** Twice as large by repetition, or half as large by averaging 2 x 2 pixels. */
function resized(x: Tensor, resample: ResnetBlockOptions['resample']): Tensor {
  if (resample === undefined) return x;
  if (resample === 'up') return x.upsampleNearest(2);
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  return x.reshape(batch, height / 2, 2, width / 2, 2, channels).mean([2, 4]);
}
