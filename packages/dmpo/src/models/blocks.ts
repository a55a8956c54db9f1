/** The blocks of UNet2DModel: one per level on the way down, one in the middle, one per level on the way up. */

import { concat, nn, type Tensor } from '@dmpo/core';
import { AttentionBlock } from './attention-block.js';
import { ResnetBlock2D, type ResnetBlockOptions } from './resnet-block.js';
import { Downsample2D, Upsample2D } from './samplers.js';

type CommonOptions = Omit<ResnetBlockOptions, 'resample' | 'outputScaleFactor'>;

export interface DownBlockOptions extends CommonOptions {
  /** Residual layers. */
  readonly layers: number;
  /** Channels of one attention head; undefined: no attention (DownBlock2D instead of AttnDownBlock2D). */
  readonly headDim?: number | undefined;
  /** How the block ends: a strided convolution, a residual block, or at the same size. */
  readonly downsample?: 'conv' | 'resnet' | undefined;
  /** Zeros around the strided convolution. */
  readonly downsamplePadding: 0 | 1;
}

/** diffusers' DownBlock2D and, with `headDim`, AttnDownBlock2D. */
export class DownBlock2D extends nn.Module {
  readonly resnets: ResnetBlock2D[] = [];
  readonly attentions: AttentionBlock[] = [];
  readonly downsamplers: (Downsample2D | ResnetBlock2D)[] = [];

  constructor(
    inChannels: number,
    outChannels: number,
    options: DownBlockOptions,
    init: nn.InitializationOptions,
  ) {
    super();
    const { layers, headDim, downsample, downsamplePadding, groups, epsilon } = options;
    for (let layer = 0; layer < layers; layer++) {
      this.resnets.push(
        new ResnetBlock2D(layer === 0 ? inChannels : outChannels, outChannels, options, init),
      );
      if (headDim !== undefined)
        this.attentions.push(new AttentionBlock(outChannels, { headDim, groups, epsilon }, init));
    }
    if (downsample === 'conv') this.downsamplers.push(new Downsample2D(outChannels, downsamplePadding, init));
    if (downsample === 'resnet')
      this.downsamplers.push(
        new ResnetBlock2D(outChannels, outChannels, { ...options, resample: 'down' }, init),
      );
  }

  /** The output of every layer and of the downsampler, in order; the last one is the block's output. */
  forward(x: Tensor, activatedEmbedding: Tensor): Tensor[] {
    const outputs: Tensor[] = [];
    let hidden = x;
    for (const [layer, resnet] of this.resnets.entries()) {
      hidden = resnet.forward(hidden, activatedEmbedding);
      hidden = this.attentions[layer]?.forward(hidden) ?? hidden;
      outputs.push(hidden);
    }
    for (const downsampler of this.downsamplers)
      outputs.push(downsampler.forward(hidden, activatedEmbedding));
    return outputs;
  }
}

export interface MidBlockOptions extends CommonOptions {
  /** Channels of one attention head; undefined: no attention. */
  readonly headDim?: number | undefined;
  /** Groups of the norm before attention; null: no norm. */
  readonly attentionGroups: number | null;
  /** Residual and attention layers divide their output by this. */
  readonly outputScaleFactor: number;
}

/** diffusers' UNetMidBlock2D: a residual block, attention, a residual block. */
export class UNetMidBlock2D extends nn.Module {
  readonly attentions: AttentionBlock[] = [];
  readonly resnets: ResnetBlock2D[] = [];

  constructor(channels: number, options: MidBlockOptions, init: nn.InitializationOptions) {
    super();
    const { headDim, attentionGroups: groups, epsilon, outputScaleFactor } = options;
    this.resnets.push(new ResnetBlock2D(channels, channels, options, init));
    if (headDim !== undefined)
      this.attentions.push(
        new AttentionBlock(channels, { headDim, groups, epsilon, outputScaleFactor }, init),
      );
    this.resnets.push(new ResnetBlock2D(channels, channels, options, init));
  }

  forward(x: Tensor, activatedEmbedding: Tensor): Tensor {
    const [before, after] = this.resnets as [ResnetBlock2D, ResnetBlock2D];
    const hidden = before.forward(x, activatedEmbedding);
    return after.forward(this.attentions[0]?.forward(hidden) ?? hidden, activatedEmbedding);
  }
}

export interface UpBlockOptions extends CommonOptions {
  /** Channels of each skip connection, in the order in which the layers take them. One layer per skip connection. */
  readonly skipChannels: readonly number[];
  /** Channels of one attention head; undefined: no attention (UpBlock2D instead of AttnUpBlock2D). */
  readonly headDim?: number | undefined;
  /** How the block ends: doubling and a convolution, a residual block, or at the same size. */
  readonly upsample?: 'conv' | 'resnet' | undefined;
}

/** diffusers' UpBlock2D and, with `headDim`, AttnUpBlock2D. */
export class UpBlock2D extends nn.Module {
  readonly resnets: ResnetBlock2D[] = [];
  readonly attentions: AttentionBlock[] = [];
  readonly upsamplers: (Upsample2D | ResnetBlock2D)[] = [];

  constructor(
    inChannels: number,
    outChannels: number,
    options: UpBlockOptions,
    init: nn.InitializationOptions,
  ) {
    super();
    const { skipChannels, headDim, upsample, groups, epsilon } = options;
    for (const [layer, skip] of skipChannels.entries()) {
      const carried = layer === 0 ? inChannels : outChannels;
      this.resnets.push(new ResnetBlock2D(carried + skip, outChannels, options, init));
      if (headDim !== undefined)
        this.attentions.push(new AttentionBlock(outChannels, { headDim, groups, epsilon }, init));
    }
    if (upsample === 'conv') this.upsamplers.push(new Upsample2D(outChannels, init));
    if (upsample === 'resnet')
      this.upsamplers.push(new ResnetBlock2D(outChannels, outChannels, { ...options, resample: 'up' }, init));
  }

  /** @param skips one tensor per layer, in the order of `skipChannels` */
  forward(x: Tensor, skips: readonly Tensor[], activatedEmbedding: Tensor): Tensor {
    let hidden = x;
    for (const [layer, resnet] of this.resnets.entries()) {
      hidden = resnet.forward(concat([hidden, skips[layer] as Tensor], 3), activatedEmbedding);
      hidden = this.attentions[layer]?.forward(hidden) ?? hidden;
    }
    for (const upsampler of this.upsamplers) hidden = upsampler.forward(hidden, activatedEmbedding);
    return hidden;
  }
}
