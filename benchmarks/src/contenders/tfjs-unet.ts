/** diffusers' UNet2DModel in TensorFlow.js operations: the same configuration keys, arithmetic and weight names, nothing else. */

import type { UNet2DConfig } from '@dmpo/dmpo';
import * as tf from '@tensorflow/tfjs-core';

/** A weight by diffusers' name. Filters are HWIO, matrices [in, out]. */
export type Weights = (name: string) => tf.Tensor;

export interface UNetInputs {
  /** [batch, height, width, channels] */
  readonly sample: tf.Tensor;
  /** [batch] */
  readonly timesteps: tf.Tensor;
  /** [batch], int32 */
  readonly labels: tf.Tensor1D;
}

export class TfjsUNet {
  readonly #channels: readonly number[];
  readonly #layers: number;
  readonly #headDim: number;
  readonly #groups: number;
  readonly #downBlocks: readonly string[];
  readonly #upBlocks: readonly string[];

  constructor(
    config: UNet2DConfig,
    private readonly weights: Weights,
    /** Whether a weight exists: residual blocks have a shortcut convolution only where they change the number of channels. */
    private readonly hasWeight: (name: string) => boolean,
  ) {
    this.#channels = expected(config.block_out_channels);
    this.#layers = expected(config.layers_per_block);
    this.#headDim = expected(config.attention_head_dim ?? undefined);
    this.#groups = expected(config.norm_num_groups);
    this.#downBlocks = expected(config.down_block_types);
    this.#upBlocks = expected(config.up_block_types);
  }

  forward({ sample, timesteps, labels }: UNetInputs): tf.Tensor {
    const embedding = this.#embedding(timesteps, labels);
    let hidden = this.#convolution('conv_in', sample);
    const skips = [hidden];
    for (const [level, kind] of this.#downBlocks.entries()) {
      const block = `down_blocks.${level}`;
      for (let layer = 0; layer < this.#layers; layer++) {
        hidden = this.#layer(block, layer, kind, hidden, embedding);
        skips.push(hidden);
      }
      if (level < this.#channels.length - 1) {
        hidden = this.#convolution(`${block}.downsamplers.0.conv`, hidden, 2);
        skips.push(hidden);
      }
    }
    hidden = this.#resnet('mid_block.resnets.0', hidden, embedding);
    hidden = this.#attention('mid_block.attentions.0', hidden);
    hidden = this.#resnet('mid_block.resnets.1', hidden, embedding);
    for (const [level, kind] of this.#upBlocks.entries()) {
      const block = `up_blocks.${level}`;
      for (let layer = 0; layer <= this.#layers; layer++) {
        const joined = tf.concat([hidden, expected(skips.pop())], 3);
        hidden = this.#layer(block, layer, kind, joined, embedding);
      }
      if (level < this.#channels.length - 1)
        hidden = this.#convolution(`${block}.upsamplers.0.conv`, doubled(hidden));
    }
    return this.#convolution('conv_out', silu(this.#groupNorm('conv_norm_out', hidden)));
  }

  #embedding(timesteps: tf.Tensor, labels: tf.Tensor1D): tf.Tensor {
    const half = expected(this.#channels[0]) / 2;
    const frequencies = Float32Array.from({ length: half }, (_, i) => 10000 ** (-i / half));
    const angles = tf.mul(tf.reshape(timesteps, [-1, 1]), tf.tensor(frequencies, [1, half]));
    const sinusoids = tf.concat([tf.cos(angles), tf.sin(angles)], 1);
    const time = this.#linear(
      'time_embedding.linear_2',
      silu(this.#linear('time_embedding.linear_1', sinusoids)),
    );
    return silu(tf.add(time, tf.gather(this.weights('class_embedding.weight'), labels)));
  }

  #layer(block: string, layer: number, kind: string, x: tf.Tensor, embedding: tf.Tensor): tf.Tensor {
    const hidden = this.#resnet(`${block}.resnets.${layer}`, x, embedding);
    return kind.startsWith('Attn') ? this.#attention(`${block}.attentions.${layer}`, hidden) : hidden;
  }

  #resnet(name: string, x: tf.Tensor, embedding: tf.Tensor): tf.Tensor {
    const time = this.#linear(`${name}.time_emb_proj`, embedding);
    let hidden = this.#convolution(`${name}.conv1`, silu(this.#groupNorm(`${name}.norm1`, x)));
    hidden = tf.add(hidden, tf.reshape(time, [-1, 1, 1, Number(time.shape[1])]));
    hidden = this.#convolution(`${name}.conv2`, silu(this.#groupNorm(`${name}.norm2`, hidden)));
    const shortcut = `${name}.conv_shortcut`;
    return tf.add(hidden, this.hasWeight(`${shortcut}.weight`) ? this.#convolution(shortcut, x) : x);
  }

  #attention(name: string, x: tf.Tensor): tf.Tensor {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const tokens = tf.reshape(this.#groupNorm(`${name}.group_norm`, x), [-1, channels]);
    const heads = channels / this.#headDim;
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((projection) => {
      const projected = this.#linear(`${name}.${projection}`, tokens);
      return tf.transpose(tf.reshape(projected, [batch, height * width, heads, this.#headDim]), [0, 2, 1, 3]);
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const scores = tf.mul(tf.matMul(q, k, false, true), this.#headDim ** -0.5);
    const mixed = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
    const output = this.#linear(`${name}.to_out.0`, tf.reshape(mixed, [-1, channels]));
    return tf.add(x, tf.reshape(output, x.shape));
  }

  #groupNorm(name: string, x: tf.Tensor): tf.Tensor {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const grouped = tf.reshape(x, [batch, height * width, this.#groups, channels / this.#groups]);
    const { mean, variance } = tf.moments(grouped, [1, 3], true);
    const normal = tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, 1e-5)));
    return tf.add(
      tf.mul(tf.reshape(normal, x.shape), this.weights(`${name}.weight`)),
      this.weights(`${name}.bias`),
    );
  }

  #convolution(name: string, x: tf.Tensor, stride = 1): tf.Tensor {
    const filter = this.weights(`${name}.weight`) as tf.Tensor4D;
    const padding = (filter.shape[0] - 1) / 2;
    const y = tf.conv2d(x as tf.Tensor4D, filter, stride, padding);
    return tf.add(y, this.weights(`${name}.bias`));
  }

  #linear(name: string, x: tf.Tensor): tf.Tensor {
    return tf.add(tf.matMul(x, this.weights(`${name}.weight`)), this.weights(`${name}.bias`));
  }
}

function silu(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sigmoid(x));
}

function doubled(x: tf.Tensor): tf.Tensor {
  const [, height, width] = x.shape as [number, number, number, number];
  return tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [2 * height, 2 * width]);
}

function expected<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('A value is missing.');
  return value;
}
