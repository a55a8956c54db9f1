/** The UNet training step in TensorFlow.js, with its own automatic differentiation. */

import * as tf from '@tensorflow/tfjs-core';
import { type Inputs, input, type PreparedWorkload } from '../contender.js';
import { type HostTensor, permute } from '../host-tensor.js';
import { COMPARED_STEPS, type TrainingStepWorkload } from '../workloads.js';
import { TfjsAdamW } from './tfjs-adamw.js';
import { TfjsUNet } from './tfjs-unet.js';

const PREFIX = 'weights.';

export function prepareTrainingStep({ config }: TrainingStepWorkload, inputs: Inputs): PreparedWorkload {
  const weights = [...inputs].filter(([name]) => name.startsWith(PREFIX));
  const indices = new Map(weights.map(([name], index) => [name.slice(PREFIX.length), index]));
  const optimizer = new TfjsAdamW(weights.map(([name, tensor]) => resident(toTfjsLayout(name, tensor))));
  const [images, noise, timesteps] = [
    resident(input(inputs, 'images')),
    resident(input(inputs, 'noise')),
    resident(input(inputs, 'timesteps')),
  ];
  const [signal, sigma] = ['signal', 'sigma'].map((name) =>
    tf.tidy(() => tf.reshape(resident(input(inputs, name)), [-1, 1, 1, 1])),
  ) as [tf.Tensor, tf.Tensor];
  const labels = tf.tensor1d(Int32Array.from(input(inputs, 'labels').data), 'int32');

  const differentiated = tf.valueAndGrads((...current: tf.Tensor[]) => {
    const noisy = tf.add(tf.mul(images, signal), tf.mul(noise, sigma));
    const velocity = tf.sub(tf.mul(noise, signal), tf.mul(images, sigma));
    const model = new TfjsUNet(
      config,
      (name) => current[indices.get(name) ?? -1] as tf.Tensor,
      (name) => indices.has(name),
    );
    const prediction = model.forward({ sample: noisy, timesteps, labels });
    return tf.mean(tf.square(tf.sub(prediction, velocity)));
  });
  const step = async () => {
    const { value, grads } = tf.tidy(() => differentiated([...optimizer.weights]));
    optimizer.step(grads);
    const [loss = Number.NaN] = await value.data();
    tf.dispose([value, ...grads]);
    return loss;
  };
  return {
    async run() {
      await step();
    },
    async outputs() {
      const losses: number[] = [];
      while (losses.length < COMPARED_STEPS) losses.push(await step());
      return [Float32Array.from(losses)];
    },
    dispose() {
      optimizer.dispose();
      tf.dispose([images, noise, timesteps, signal, sigma, labels]);
    },
  };
}

/** Filters OIHW to HWIO, matrices [out, in] to [in, out]; tables of embeddings stay as they are. */
function toTfjsLayout(name: string, tensor: HostTensor): HostTensor {
  if (tensor.shape.length === 4) return permute(tensor, [2, 3, 1, 0]);
  return tensor.shape.length === 2 && !name.includes('embedding.weight') ? permute(tensor, [1, 0]) : tensor;
}

function resident({ data, shape }: HostTensor): tf.Tensor {
  return tf.tensor(data, [...shape], 'float32');
}
