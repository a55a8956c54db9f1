/** UNet2DModel: the class-conditional (or unconditional) denoiser, in diffusers' configuration, semantics and weight names. */

import { DmpoError, full, nn, type Tensor } from '@dmpo/core';
import { DownBlock2D, UNetMidBlock2D, UpBlock2D } from './blocks.js';
import { headDimOf, parseUNet2DConfig, type ResolvedUNet2DConfig, type UNet2DConfig } from './config.js';
import { TimestepEmbedding, timestepEmbedding } from './embeddings.js';

export interface UNet2DConditions {
  /**
   * What to draw, as the configuration says: int32 classes [batch] with `num_class_embeds`, numbers [batch] with
   * class_embed_type "timestep", vectors [batch, time embedding size] with "identity". Required exactly if the model takes it.
   */
  readonly classLabels?: Tensor | undefined;
}

/** diffusers' UNet2DModel. */
export class UNet2DModel extends nn.Module {
  /** Complete, with defaults filled in: what config.json should say. */
  readonly config: ResolvedUNet2DConfig;
  readonly conv_in: nn.Conv2d;
  readonly time_embedding: TimestepEmbedding;
  readonly class_embedding?: nn.Embedding | TimestepEmbedding;
  readonly down_blocks: DownBlock2D[] = [];
  readonly mid_block?: UNetMidBlock2D;
  readonly up_blocks: UpBlock2D[] = [];
  readonly conv_norm_out: nn.GroupNorm;
  readonly conv_out: nn.Conv2d;

  /**
   * @param config diffusers' config.json; every key has diffusers' default
   * @param init where random initial weights come from; `load` replaces them
   * @throws `UNKNOWN_CONFIG_KEY`, `UNSUPPORTED_CONFIG_VALUE` naming key, value and what is supported
   */
  constructor(config: UNet2DConfig, init: nn.InitializationOptions = {}) {
    super();
    this.config = parseUNet2DConfig(config);
    const { block_out_channels: channels, norm_num_groups: groups, norm_eps: epsilon } = this.config;
    const [first, last] = [channels[0], channels.at(-1) as number];
    const common = {
      groups,
      epsilon,
      timeEmbeddingDim: this.#timeEmbeddingDim,
      timeScaleShift: this.config.resnet_time_scale_shift,
    };

    this.conv_in = new nn.Conv2d(this.config.in_channels, first, 3, { padding: 1, ...init });
    this.time_embedding = new TimestepEmbedding(first, this.#timeEmbeddingDim, init);
    const classEmbedding = this.#makeClassEmbedding(init);
    if (classEmbedding) this.class_embedding = classEmbedding;

    const skipChannels = [first];
    for (const [level, type] of this.config.down_block_types.entries()) {
      const size = channels[level] as number;
      const inner = level < channels.length - 1;
      const isConv = type === 'DownBlock2D' || this.config.downsample_type === 'conv';
      const options = {
        ...common,
        layers: this.config.layers_per_block,
        headDim: type === 'AttnDownBlock2D' ? headDimOf(this.config, size) : undefined,
        downsample: inner ? (isConv ? 'conv' : 'resnet') : undefined,
        downsamplePadding: this.config.downsample_padding,
      } as const;
      this.down_blocks.push(new DownBlock2D(skipChannels.at(-1) as number, size, options, init));
      skipChannels.push(...Array<number>(options.layers + (inner ? 1 : 0)).fill(size));
    }

    if (this.config.mid_block_type !== null)
      this.mid_block = new UNetMidBlock2D(
        last,
        {
          ...common,
          headDim: this.config.add_attention ? headDimOf(this.config, last) : undefined,
          attentionGroups: this.#midBlockAttentionGroups,
          outputScaleFactor: this.config.mid_block_scale_factor,
        },
        init,
      );

    let carried = last;
    for (const [index, type] of this.config.up_block_types.entries()) {
      const size = channels[channels.length - 1 - index] as number;
      const inner = index < channels.length - 1;
      const isConv = type === 'UpBlock2D' || this.config.upsample_type === 'conv';
      const options = {
        ...common,
        skipChannels: takeLast(skipChannels, this.config.layers_per_block + 1),
        headDim: type === 'AttnUpBlock2D' ? headDimOf(this.config, size) : undefined,
        upsample: inner ? (isConv ? 'conv' : 'resnet') : undefined,
      } as const;
      this.up_blocks.push(new UpBlock2D(carried, size, options, init));
      carried = size;
    }

    this.conv_norm_out = new nn.GroupNorm(groups, first, { epsilon });
    this.conv_out = new nn.Conv2d(first, this.config.out_channels, 3, { padding: 1, ...init });
  }

  /**
   * What the model predicts for noisy samples: noise, clean sample or velocity, as it was trained to.
   *
   * @param sample [batch, height, width, in_channels]; height and width divisible by 2 per level below the first
   * @param timestep one per sample, [batch], or one number for all
   * @returns [batch, height, width, out_channels]
   * @throws `SHAPE_MISMATCH`; `BAD_ARGUMENT` if class labels are missing, or given to a model that takes none
   */
  forward(sample: Tensor, timestep: Tensor | number, { classLabels }: UNet2DConditions = {}): Tensor {
    this.#checkSample(sample);
    const embedding = this.#embed(timestep, classLabels, sample.shape[0] as number).silu();
    let hidden = this.conv_in.forward(this.config.center_input_sample ? sample.mul(2).sub(1) : sample);
    const skips = [hidden];
    for (const block of this.down_blocks) {
      const outputs = block.forward(hidden, embedding);
      skips.push(...outputs);
      hidden = outputs.at(-1) as Tensor;
    }
    hidden = this.mid_block?.forward(hidden, embedding) ?? hidden;
    for (const block of this.up_blocks)
      hidden = block.forward(hidden, takeLast(skips, block.resnets.length), embedding);
    return this.conv_out.forward(this.conv_norm_out.forward(hidden, { activation: 'silu' }));
  }

  get #timeEmbeddingDim(): number {
    return this.config.time_embedding_dim ?? 4 * this.config.block_out_channels[0];
  }

  /** diffusers leaves the norm out with scale_shift, unless its groups are given. */
  get #midBlockAttentionGroups(): number | null {
    const { attn_norm_num_groups: groups, norm_num_groups, resnet_time_scale_shift } = this.config;
    return groups ?? (resnet_time_scale_shift === 'default' ? norm_num_groups : null);
  }

  #makeClassEmbedding(init: nn.InitializationOptions): nn.Embedding | TimestepEmbedding | undefined {
    const { class_embed_type: type, num_class_embeds: classes, block_out_channels: channels } = this.config;
    if (type === 'timestep') return new TimestepEmbedding(channels[0], this.#timeEmbeddingDim, init);
    if (type === null && classes !== null) return new nn.Embedding(classes, this.#timeEmbeddingDim, init);
    return undefined;
  }

  /** Time embedding plus class embedding: [batch, size], or [1, size] if nothing differs between samples. */
  #embed(timestep: Tensor | number, classLabels: Tensor | undefined, batch: number): Tensor {
    const timesteps = typeof timestep === 'number' ? full([1], timestep) : timestep;
    if (typeof timestep !== 'number') checkLabels('timestep', timesteps, [batch]);
    const time = this.time_embedding.forward(this.#sinusoids(timesteps));
    const takesClasses = this.class_embedding !== undefined || this.config.class_embed_type === 'identity';
    if (takesClasses !== (classLabels !== undefined))
      throw new DmpoError(
        'BAD_ARGUMENT',
        `UNet2DModel.forward: class labels are ${classLabels ? 'given, and the model takes none' : 'missing'}.`,
        classLabels
          ? 'Leave classLabels out, or use a model with num_class_embeds or class_embed_type.'
          : 'Pass { classLabels } with one label per sample.',
      );
    return classLabels ? time.add(this.#embedClasses(classLabels, batch)) : time;
  }

  #embedClasses(classLabels: Tensor, batch: number): Tensor {
    if (this.config.class_embed_type === 'identity') {
      checkLabels('classLabels', classLabels, [batch, this.#timeEmbeddingDim]);
      return classLabels;
    }
    checkLabels('classLabels', classLabels, [batch]);
    return this.class_embedding instanceof TimestepEmbedding
      ? this.class_embedding.forward(this.#sinusoids(classLabels))
      : (this.class_embedding as nn.Embedding).forward(classLabels);
  }

  #sinusoids(timesteps: Tensor): Tensor {
    const {
      block_out_channels: channels,
      flip_sin_to_cos: flipSinToCos,
      freq_shift: freqShift,
    } = this.config;
    return timestepEmbedding(timesteps, channels[0], { flipSinToCos, freqShift });
  }

  #checkSample(sample: Tensor): void {
    const { in_channels: channels, block_out_channels: levels } = this.config;
    const factor = 2 ** (levels.length - 1);
    const [, height, width] = sample.shape;
    if (
      sample.shape.length === 4 &&
      sample.shape[3] === channels &&
      !(Number(height) % factor) &&
      !(Number(width) % factor)
    )
      return;
    throw new DmpoError(
      'SHAPE_MISMATCH',
      `UNet2DModel.forward: got a sample of shape [${sample.shape}].`,
      `It must be [batch, height, width, ${channels}] with height and width divisible by ${factor} (${levels.length} levels).`,
    );
  }
}

/** Removes the last `count` items and returns them, last first: the order in which skip connections are used up. */
function takeLast<Item>(items: Item[], count: number): Item[] {
  return items.splice(-count).reverse();
}

function checkLabels(name: string, labels: Tensor, shape: readonly number[]): void {
  if (`${labels.shape}` !== `${shape}`)
    throw new DmpoError(
      'SHAPE_MISMATCH',
      `UNet2DModel.forward: ${name} has shape [${labels.shape}].`,
      `It must be [${shape}].`,
    );
}
