/**
 * diffusers' UNet2DModel in jax-js operations, NCHW: the same configuration keys, arithmetic and weight names, nothing else. An
 * operation consumes its operands; `ref` keeps one for another use.
 */

import type { UNet2DConfig } from '@dmpo/dmpo';
import { type Array as JaxArray, lax, nn, numpy as np } from '@jax-js/jax';

export interface UNetInputs {
  /** [batch, channels, height, width] */
  readonly sample: JaxArray;
  /** [batch] */
  readonly timesteps: JaxArray;
  /** [batch, classes], one-hot: jax-js has no gradient of indexing. */
  readonly labels: JaxArray;
}

export class JaxUNet {
  readonly #channels: readonly number[];
  readonly #layers: number;
  readonly #headDim: number;
  readonly #groups: number;
  readonly #downBlocks: readonly string[];
  readonly #upBlocks: readonly string[];

  /** `weights` by diffusers' names; they are left as they are. */
  constructor(
    config: UNet2DConfig,
    private readonly weights: ReadonlyMap<string, JaxArray>,
  ) {
    this.#channels = expected(config.block_out_channels);
    this.#layers = expected(config.layers_per_block);
    this.#headDim = expected(config.attention_head_dim ?? undefined);
    this.#groups = expected(config.norm_num_groups);
    this.#downBlocks = expected(config.down_block_types);
    this.#upBlocks = expected(config.up_block_types);
  }

  forward({ sample, timesteps, labels }: UNetInputs): JaxArray {
    const embedding = this.#embedding(timesteps, labels);
    let hidden = this.#convolution('conv_in', sample);
    const skips = [hidden.ref];
    for (const [level, kind] of this.#downBlocks.entries()) {
      const block = `down_blocks.${level}`;
      for (let layer = 0; layer < this.#layers; layer++) {
        hidden = this.#layer(block, layer, kind, hidden, embedding);
        skips.push(hidden.ref);
      }
      if (level < this.#channels.length - 1) {
        hidden = this.#convolution(`${block}.downsamplers.0.conv`, hidden, 2);
        skips.push(hidden.ref);
      }
    }
    hidden = this.#resnet('mid_block.resnets.0', hidden, embedding);
    hidden = this.#attention('mid_block.attentions.0', hidden);
    hidden = this.#resnet('mid_block.resnets.1', hidden, embedding);
    for (const [level, kind] of this.#upBlocks.entries()) {
      const block = `up_blocks.${level}`;
      for (let layer = 0; layer <= this.#layers; layer++) {
        const joined = np.concatenate([hidden, expected(skips.pop())], 1);
        hidden = this.#layer(block, layer, kind, joined, embedding);
      }
      if (level < this.#channels.length - 1)
        hidden = this.#convolution(`${block}.upsamplers.0.conv`, doubled(hidden));
    }
    embedding.dispose();
    return this.#convolution('conv_out', nn.silu(this.#groupNorm('conv_norm_out', hidden)));
  }

  #embedding(timesteps: JaxArray, labels: JaxArray): JaxArray {
    const half = expected(this.#channels[0]) / 2;
    const frequencies = np.array(Float32Array.from({ length: half }, (_, i) => 10000 ** (-i / half)));
    const angles = timesteps.reshape([-1, 1]).mul(frequencies);
    const sinusoids = np.concatenate([np.cos(angles.ref), np.sin(angles)], 1);
    const hidden = nn.silu(this.#linear('time_embedding.linear_1', sinusoids));
    const time = this.#linear('time_embedding.linear_2', hidden);
    return nn.silu(time.add(np.matmul(labels, this.#weight('class_embedding.weight'))));
  }

  /** Keeps the embedding. */
  #layer(block: string, layer: number, kind: string, x: JaxArray, embedding: JaxArray): JaxArray {
    const hidden = this.#resnet(`${block}.resnets.${layer}`, x, embedding);
    return kind.startsWith('Attn') ? this.#attention(`${block}.attentions.${layer}`, hidden) : hidden;
  }

  /** Keeps the embedding. */
  #resnet(name: string, x: JaxArray, embedding: JaxArray): JaxArray {
    const time = this.#linear(`${name}.time_emb_proj`, embedding.ref);
    const [batch, channels] = time.shape as [number, number];
    let hidden = this.#convolution(`${name}.conv1`, nn.silu(this.#groupNorm(`${name}.norm1`, x.ref)));
    hidden = hidden.add(time.reshape([batch, channels, 1, 1]));
    hidden = this.#convolution(`${name}.conv2`, nn.silu(this.#groupNorm(`${name}.norm2`, hidden)));
    const shortcut = `${name}.conv_shortcut`;
    return hidden.add(this.weights.has(`${shortcut}.weight`) ? this.#convolution(shortcut, x) : x);
  }

  #attention(name: string, x: JaxArray): JaxArray {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const [tokens, heads] = [height * width, channels / this.#headDim];
    const normal = this.#groupNorm(`${name}.group_norm`, x.ref).reshape([batch, channels, tokens]);
    const rows = np.matrixTranspose(normal);
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((projection) =>
      np.transpose(
        this.#linear(`${name}.${projection}`, rows.ref).reshape([batch, tokens, heads, this.#headDim]),
        [0, 2, 1, 3],
      ),
    ) as [JaxArray, JaxArray, JaxArray];
    rows.dispose();
    const scores = np.matmul(q, np.matrixTranspose(k)).mul(this.#headDim ** -0.5);
    const mixed = np.transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3]);
    const output = this.#linear(`${name}.to_out.0`, mixed.reshape([batch, tokens, channels]));
    return x.add(np.matrixTranspose(output).reshape([batch, channels, height, width]));
  }

  #groupNorm(name: string, x: JaxArray): JaxArray {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const grouped = x.reshape([batch, this.#groups, (channels / this.#groups) * height * width]);
    const centred = grouped.ref.sub(np.mean(grouped, 2, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), 2, { keepdims: true });
    const normal = centred.div(np.sqrt(variance.add(1e-5))).reshape([batch, channels, height, width]);
    return normal.mul(this.#perChannel(`${name}.weight`)).add(this.#perChannel(`${name}.bias`));
  }

  #convolution(name: string, x: JaxArray, stride = 1): JaxArray {
    const filter = this.#weight(`${name}.weight`);
    const padding = (Number(filter.shape[2]) - 1) / 2;
    const sides: [number, number] = [padding, padding];
    return lax.conv(x, filter, [stride, stride], [sides, sides]).add(this.#perChannel(`${name}.bias`));
  }

  #linear(name: string, x: JaxArray): JaxArray {
    const matrix = np.matrixTranspose(this.#weight(`${name}.weight`));
    return np.matmul(x, matrix).add(this.#weight(`${name}.bias`));
  }

  /** [channels, 1, 1] */
  #perChannel(name: string): JaxArray {
    return this.#weight(name).reshape([-1, 1, 1]);
  }

  #weight(name: string): JaxArray {
    return expected(this.weights.get(name)).ref;
  }
}

function doubled(x: JaxArray): JaxArray {
  return np.repeat(np.repeat(x, 2, 2), 2, 3);
}

function expected<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('A value is missing.');
  return value;
}
