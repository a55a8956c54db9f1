/** The configuration of UNet2DModel: diffusers' config.json, every key known, every unsupported value refused by name. */

import * as z from 'zod';
import { configError, parseConfig } from '../config.js';

const count = z.int().positive();

const unet2DSchema = z.strictObject({
  _class_name: z.literal('UNet2DModel').default('UNet2DModel'),
  _diffusers_version: z.string().optional(),
  _name_or_path: z.string().optional(),
  sample_size: z
    .union([count, z.tuple([count, count])])
    .nullable()
    .default(null),
  in_channels: count.default(3),
  out_channels: count.default(3),
  center_input_sample: z.boolean().default(false),
  time_embedding_type: z.literal('positional').default('positional'),
  time_embedding_dim: count.nullable().default(null),
  freq_shift: z.number().default(0),
  flip_sin_to_cos: z.boolean().default(true),
  down_block_types: z
    .array(z.enum(['DownBlock2D', 'AttnDownBlock2D']))
    .nonempty()
    .default(['DownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D']),
  mid_block_type: z.literal(['UNetMidBlock2D', null]).default('UNetMidBlock2D'),
  up_block_types: z
    .array(z.enum(['UpBlock2D', 'AttnUpBlock2D']))
    .nonempty()
    .default(['AttnUpBlock2D', 'AttnUpBlock2D', 'AttnUpBlock2D', 'UpBlock2D']),
  block_out_channels: z.array(count).nonempty().default([224, 448, 672, 896]),
  layers_per_block: count.default(2),
  mid_block_scale_factor: z.number().positive().default(1),
  downsample_padding: z.literal([0, 1]).default(1),
  downsample_type: z.enum(['conv', 'resnet']).default('conv'),
  upsample_type: z.enum(['conv', 'resnet']).default('conv'),
  dropout: z.literal(0).default(0),
  act_fn: z.literal(['silu', 'swish']).default('silu'),
  attention_head_dim: count.nullable().default(8),
  norm_num_groups: count.default(32),
  attn_norm_num_groups: count.nullable().default(null),
  norm_eps: z.number().positive().default(1e-5),
  resnet_time_scale_shift: z.enum(['default', 'scale_shift']).default('default'),
  add_attention: z.boolean().default(true),
  class_embed_type: z.literal(['timestep', 'identity', null]).default(null),
  num_class_embeds: count.nullable().default(null),
  // Read by diffusers for learned time embeddings only.
  num_train_timesteps: count.nullable().default(null),
});

/** diffusers' keys; each has diffusers' default. */
export type UNet2DConfig = z.input<typeof unet2DSchema>;
/** With every default filled in. */
export type ResolvedUNet2DConfig = z.output<typeof unet2DSchema>;

/** Throws `UNKNOWN_CONFIG_KEY` or `UNSUPPORTED_CONFIG_VALUE`; the error names key, value and what is supported. */
export function parseUNet2DConfig(config: UNet2DConfig): ResolvedUNet2DConfig {
  const resolved = parseConfig(unet2DSchema, config, 'UNet2DModel');
  checkBlockLists(resolved);
  checkChannels(resolved);
  return resolved;
}

/** Channels of one head in a block: UNet2DModel's attention_head_dim is that; null means one head. */
export function headDimOf({ attention_head_dim: headDim }: ResolvedUNet2DConfig, channels: number): number {
  return headDim ?? channels;
}

function checkBlockLists(config: ResolvedUNet2DConfig): void {
  const levels = config.block_out_channels.length;
  for (const key of ['down_block_types', 'up_block_types'] as const)
    if (config[key].length !== levels)
      throw configError(
        'UNet2DModel',
        `${key} has ${config[key].length} entries, block_out_channels has ${levels}.`,
        'Give one down block, one up block and one number of channels per level.',
      );
}

function checkChannels(config: ResolvedUNet2DConfig): void {
  const {
    block_out_channels: channels,
    norm_num_groups: groups,
    attn_norm_num_groups: attentionGroups,
  } = config;
  const [first, last] = [channels[0], channels.at(-1) as number];
  const indivisible = channels.find((size) => size % groups !== 0);
  if (indivisible !== undefined)
    throw configError(
      'UNet2DModel',
      `norm_num_groups ${groups} does not divide ${indivisible} of block_out_channels.`,
      'Use a number of groups that divides the channels of every level.',
    );
  if (attentionGroups !== null && last % attentionGroups !== 0)
    throw configError(
      'UNet2DModel',
      `attn_norm_num_groups ${attentionGroups} does not divide ${last}, the last of block_out_channels.`,
      'Use a number of groups that divides the channels of the middle block.',
    );
  if (first % 2 !== 0 || first / 2 <= config.freq_shift)
    throw configError(
      'UNet2DModel',
      `block_out_channels[0] ${first} with freq_shift ${config.freq_shift}.`,
      'The first level must have an even number of channels, more than twice freq_shift: half of them are sines, half cosines of the timestep.',
    );
  for (const [level, size] of channels.entries())
    if (usesAttention(config, level) && size < headDimOf(config, size))
      throw configError(
        'UNet2DModel',
        `attention_head_dim ${config.attention_head_dim} exceeds the ${size} channels of level ${level}.`,
        'Use smaller heads, or null for one head of all channels.',
      );
}

function usesAttention(config: ResolvedUNet2DConfig, level: number): boolean {
  const levels = config.block_out_channels.length;
  const inMiddle = level === levels - 1 && config.add_attention && config.mid_block_type !== null;
  return (
    inMiddle ||
    config.down_block_types[level] === 'AttnDownBlock2D' ||
    config.up_block_types[levels - 1 - level] === 'AttnUpBlock2D'
  );
}
