/** The configuration of a model that has everything and takes milliseconds: two levels, attention at the lower one. */

import type { UNet2DConfig } from '../models/config.js';

export const tinyUNet = {
  sample_size: 8,
  block_out_channels: [4, 8],
  layers_per_block: 1,
  norm_num_groups: 2,
  attention_head_dim: 4,
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
} satisfies UNet2DConfig;
