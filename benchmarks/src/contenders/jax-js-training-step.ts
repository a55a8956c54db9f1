/** The UNet training step in jax-js: loss, gradients and AdamW as one jit-compiled function. */

import { blockUntilReady, type Array as JaxArray, jit, nn, numpy as np, vjp } from '@jax-js/jax';
import { type Inputs, input, type PreparedWorkload } from '../contender.js';
import { channelsFirst, type HostTensor } from '../host-tensor.js';
import { COMPARED_STEPS, type TrainingStepWorkload } from '../workloads.js';
import { adamWFactors, adamWUpdate } from './jax-js-adamw.js';
import { JaxUNet } from './jax-js-unet.js';

const PREFIX = 'weights.';

export function prepareTrainingStep({ config }: TrainingStepWorkload, inputs: Inputs): PreparedWorkload {
  const weightInputs = [...inputs].filter(([name]) => name.startsWith(PREFIX));
  const names = weightInputs.map(([name]) => name.slice(PREFIX.length));
  const count = names.length;
  // Weights are diffusers' already: filters OIHW, matrices [out, in].
  let state = weightInputs.map(([, tensor]) => resident(tensor));
  state = [...state, ...[...state, ...state].map((weight) => np.zerosLike(weight.ref))];
  const image = (name: string) => resident(channelsFirst(input(inputs, name)));
  const perSample = (name: string) => resident(input(inputs, name)).reshape([-1, 1, 1, 1]);
  const labels = np.array(Int32Array.from(input(inputs, 'labels').data));
  const batch = [
    image('images'),
    image('noise'),
    perSample('signal'),
    perSample('sigma'),
    resident(input(inputs, 'timesteps')),
    nn.oneHot(labels, config.num_class_embeds ?? 1),
  ];

  const compiled = jit((...operands: JaxArray[]): JaxArray[] => {
    const take = (length: number) => operands.splice(0, length);
    const [weights, means, squares] = [take(count), take(count), take(count)] as [
      JaxArray[],
      JaxArray[],
      JaxArray[],
    ];
    const [images, noise, signal, sigma, timesteps, classes, stepSize, correction] = operands as [
      ...Eight<JaxArray>,
    ];
    const noisy = images.ref.mul(signal.ref).add(noise.ref.mul(sigma.ref));
    const velocity = noise.mul(signal).sub(images.mul(sigma));
    const [loss, pullBack] = vjp(
      (...current: JaxArray[]) => {
        const model = new JaxUNet(config, new Map(names.map((name, i) => [name, current[i] as JaxArray])));
        const prediction = model.forward({ sample: noisy, timesteps, labels: classes });
        return np.mean(np.square(prediction.sub(velocity)));
      },
      weights.map((weight) => weight.ref),
    );
    const updated = (pullBack(np.ones([])) as JaxArray[]).map((gradient, i) =>
      adamWUpdate({
        weights: weights[i] as JaxArray,
        gradient,
        mean: means[i] as JaxArray,
        square: squares[i] as JaxArray,
        stepSize: stepSize.ref,
        correction: correction.ref,
      }),
    );
    return [loss, ...[0, 1, 2].flatMap((part) => updated.map((tensors) => tensors[part] as JaxArray))];
  });

  let steps = 0;
  const step = async () => {
    steps++;
    const [loss, ...next] = (await blockUntilReady(
      compiled(...state, ...batch.map((array) => array.ref), ...adamWFactors(steps)),
    )) as [JaxArray, ...JaxArray[]];
    state = next;
    return Number((await loss.data())[0]);
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
      compiled.dispose();
      for (const array of [...state, ...batch]) array.dispose();
    },
  };
}

type Eight<T> = [T, T, T, T, T, T, T, T];

function resident({ data, shape }: HostTensor): JaxArray {
  return np.array(new Float32Array(data), { shape: [...shape] });
}
