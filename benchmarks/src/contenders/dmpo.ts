/** This library. The variant is the name of one of its devices. */

import {
  attention,
  conv2d,
  type DeviceName,
  groupNorm,
  openDevice,
  optim,
  Parameter,
  realize,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
} from '@dmpo/core';
import { UNet2DModel } from '@dmpo/dmpo';
import { type Contender, type Inputs, input, type PreparedWorkload } from '../contender.js';
import { packageVersion } from '../package-version.js';
import type { ContenderOptions } from '../serve.js';
import {
  ADAMW,
  COMPARED_STEPS,
  GROUP_NORM_EPSILON,
  type TrainingStepWorkload,
  type Workload,
} from '../workloads.js';

/** Resolves when everything submitted has run. */
type Finish = () => Promise<void>;

export async function open({ threads, variant = 'auto' }: ContenderOptions): Promise<Contender> {
  const device = await openDevice(variant as DeviceName, { threads });
  const finish = () => device.finish();
  return {
    description: {
      library: `dmpo ${packageVersion('@dmpo/core')}`,
      details: `${device.name} device: ${device.description}`,
      threads: device.name === 'cpu' ? threads : 1,
    },
    prepare(workload, inputs) {
      switch (workload.kind) {
        case 'adamW':
          return prepareAdamW(inputs, finish);
        case 'trainingStep':
          return prepareTrainingStep(workload, inputs);
        default:
          return prepareTensors(workload, inputs, finish);
      }
    },
  };
}

type TensorWorkload = Exclude<Workload, { kind: 'adamW' | 'trainingStep' }>;

/** A workload that makes new tensors from resident ones. */
function prepareTensors(workload: TensorWorkload, inputs: Inputs, finish: Finish): PreparedWorkload {
  const resident = new Map([...inputs.keys()].map((name) => [name, parameter(inputs, name)]));
  const compute = () => {
    const results = tensorsOf(workload, (name) => resident.get(name) as Parameter);
    realize(...results);
    return results;
  };
  return {
    async run() {
      const results = compute();
      await finish();
      for (const result of results) result.dispose();
    },
    async outputs() {
      const results = compute();
      const outputs = await Promise.all(results.map(floats));
      for (const result of results) result.dispose();
      return outputs;
    },
    dispose() {
      for (const parameter of resident.values()) parameter.dispose();
    },
  };
}

function tensorsOf(workload: TensorWorkload, get: (name: string) => Tensor): Tensor[] {
  const withGradients = (y: Tensor, ...names: string[]) => {
    if (!('gradients' in workload && workload.gradients)) return [y];
    return [y, ...(vjp([y], [get('dy')], names.map(get)) as Tensor[])];
  };
  switch (workload.kind) {
    case 'matmul':
      return [get('a').matmul(get('b'))];
    case 'conv2d':
      return withGradients(conv2d(get('x'), get('filter'), { padding: 1 }), 'x', 'filter');
    case 'attention':
      return withGradients(attention(get('q'), get('k'), get('v')), 'q', 'k', 'v');
    case 'groupNorm': {
      const options = { groups: workload.groups, epsilon: GROUP_NORM_EPSILON, activation: 'silu' } as const;
      return withGradients(groupNorm(get('x'), get('scale'), get('shift'), options), 'x', 'scale', 'shift');
    }
    default:
      return workload satisfies never;
  }
}

function prepareAdamW(inputs: Inputs, finish: Finish): PreparedWorkload {
  const weights = parameter(inputs, 'weights');
  const gradient = parameter(inputs, 'gradient');
  const optimizer = new optim.AdamW(new Map([['weights', weights]]), ADAMW);
  const step = () => optimizer.step(new Map([['weights', gradient]]));
  return {
    run() {
      step();
      return finish();
    },
    async outputs() {
      step();
      return [await floats(weights)];
    },
    dispose() {
      for (const owner of [optimizer, weights, gradient]) owner.dispose();
    },
  };
}

function prepareTrainingStep({ config }: TrainingStepWorkload, inputs: Inputs): PreparedWorkload {
  const model = new UNet2DModel(config);
  const prefix = 'weights.';
  model.load(
    new Map(
      [...inputs]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { data, shape }]) => [name.slice(prefix.length), tensor(data, shape)]),
    ),
  );
  const optimizer = new optim.AdamW(model.parameters(), ADAMW);
  const owners = [
    parameter(inputs, 'images'),
    parameter(inputs, 'noise'),
    parameter(inputs, 'signal'),
    parameter(inputs, 'sigma'),
    parameter(inputs, 'timesteps'),
  ] as const;
  const [images, noise, signals, sigmas, timesteps] = owners;
  const classLabels = tensor(Int32Array.from(input(inputs, 'labels').data));

  const step = async () => {
    const [signal, sigma] = [signals.reshape(-1, 1, 1, 1), sigmas.reshape(-1, 1, 1, 1)];
    const noisy = images.mul(signal).add(noise.mul(sigma));
    const velocity = noise.mul(signal).sub(images.mul(sigma));
    const { value: loss, grads } = valueAndGrad(
      () => model.forward(noisy, timesteps, { classLabels }).sub(velocity).square().mean(),
      model.parameters(),
    );
    optimizer.step(grads, { realize: [loss] });
    const value = await loss.item();
    loss.dispose();
    return value;
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
      for (const owner of [optimizer, model, ...owners]) owner.dispose();
    },
  };
}

/** An input in device memory. */
function parameter(inputs: Inputs, name: string): Parameter {
  const { data, shape } = input(inputs, name);
  return new Parameter(data, shape);
}

async function floats(result: Tensor): Promise<Float32Array> {
  return Float32Array.from(await result.data());
}
