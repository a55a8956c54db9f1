/** What is measured: the workloads, their sizes and their seeded inputs. */

import { nn } from '@dmpo/core';
import { type UNet2DConfig, UNet2DModel } from '@dmpo/dmpo';
import type { Inputs } from './contender.js';
import type { HostTensor } from './host-tensor.js';

interface WorkloadBase {
  readonly id: string;
  readonly title: string;
}

/** a [size, size] times b [size, size]. */
export interface MatmulWorkload extends WorkloadBase {
  readonly kind: 'matmul';
  readonly size: number;
}

/** A 3x3 convolution that keeps height and width; with `gradients` also both gradients for a given dy. */
export interface Conv2dWorkload extends WorkloadBase {
  readonly kind: 'conv2d';
  readonly batch: number;
  /** Height and width. */
  readonly size: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly gradients: boolean;
}

/** softmax(q k^T / sqrt(headDim)) v; with `gradients` also those of q, k and v. */
export interface AttentionWorkload extends WorkloadBase {
  readonly kind: 'attention';
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly headDim: number;
  readonly gradients: boolean;
}

/** silu(groupNorm(x) * scale + shift); with `gradients` also those of x, scale and shift. */
export interface GroupNormWorkload extends WorkloadBase {
  readonly kind: 'groupNorm';
  readonly batch: number;
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
  readonly groups: number;
  readonly gradients: boolean;
}

/** One AdamW step of one parameter. */
export interface AdamWWorkload extends WorkloadBase {
  readonly kind: 'adamW';
  readonly elements: number;
}

/** Forward, mean squared error of the predicted velocity, backward and AdamW, of a class-conditional UNet. */
export interface TrainingStepWorkload extends WorkloadBase {
  readonly kind: 'trainingStep';
  readonly batch: number;
  /** Height and width. */
  readonly size: number;
  readonly config: UNet2DConfig;
}

export type Workload =
  | MatmulWorkload
  | Conv2dWorkload
  | AttentionWorkload
  | GroupNormWorkload
  | AdamWWorkload
  | TrainingStepWorkload;

/** Every contender trains with these. */
export const ADAMW = { learningRate: 2e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.1 } as const;

/** Losses that a training step's `outputs` holds: those of this many steps in a row. */
export const COMPARED_STEPS = 3;

export const GROUP_NORM_EPSILON = 1e-5;

const emojiUNet: UNet2DConfig = {
  sample_size: 32,
  in_channels: 3,
  out_channels: 3,
  block_out_channels: [16, 32, 48],
  layers_per_block: 1,
  down_block_types: ['DownBlock2D', 'DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D', 'UpBlock2D'],
  attention_head_dim: 16,
  norm_num_groups: 8,
  num_class_embeds: 41,
};

/** The sizes that are reported. */
export const fullWorkloads: readonly Workload[] = [
  { id: 'matmul', title: 'matmul 512 x 512 x 512', kind: 'matmul', size: 512 },
  ...withGradients({
    id: 'conv2d',
    title: 'conv2d 3x3, 8x32x32x64 to 64 channels',
    kind: 'conv2d',
    batch: 8,
    size: 32,
    inChannels: 64,
    outChannels: 64,
  }),
  ...withGradients({
    id: 'attention',
    title: 'attention, 2 x 512 tokens, 8 heads of 64',
    kind: 'attention',
    batch: 2,
    tokens: 512,
    heads: 8,
    headDim: 64,
  }),
  ...withGradients({
    id: 'group-norm-silu',
    title: 'GroupNorm + SiLU, 8x32x32x64, 8 groups',
    kind: 'groupNorm',
    batch: 8,
    size: 32,
    channels: 64,
    groups: 8,
  }),
  { id: 'adamw', title: 'AdamW step of 1,048,576 weights', kind: 'adamW', elements: 1 << 20 },
  {
    id: 'training-step',
    title: 'emoji UNet training step, batch 32',
    kind: 'trainingStep',
    batch: 32,
    size: 32,
    config: emojiUNet,
  },
];

/** Sizes small enough for the float64 reference device and for every continuous-integration run. */
export const quickWorkloads: readonly Workload[] = [
  { id: 'matmul', title: 'matmul 24 x 24 x 24', kind: 'matmul', size: 24 },
  ...withGradients({
    id: 'conv2d',
    title: 'conv2d 3x3, 2x6x6x8 to 12 channels',
    kind: 'conv2d',
    batch: 2,
    size: 6,
    inChannels: 8,
    outChannels: 12,
  }),
  ...withGradients({
    id: 'attention',
    title: 'attention, 2 x 10 tokens, 3 heads of 8',
    kind: 'attention',
    batch: 2,
    tokens: 10,
    heads: 3,
    headDim: 8,
  }),
  ...withGradients({
    id: 'group-norm-silu',
    title: 'GroupNorm + SiLU, 2x6x6x8, 4 groups',
    kind: 'groupNorm',
    batch: 2,
    size: 6,
    channels: 8,
    groups: 4,
  }),
  { id: 'adamw', title: 'AdamW step of 1,000 weights', kind: 'adamW', elements: 1000 },
  {
    id: 'training-step',
    title: 'small UNet training step, batch 2',
    kind: 'trainingStep',
    batch: 2,
    size: 8,
    config: {
      ...emojiUNet,
      sample_size: 8,
      block_out_channels: [8, 16],
      down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
      up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
      attention_head_dim: 8,
      norm_num_groups: 4,
    },
  },
];

/** What `outputs` of a prepared workload holds, in order. */
export function outputNames(workload: Workload): string[] {
  switch (workload.kind) {
    case 'matmul':
      return ['product'];
    case 'conv2d':
      return workload.gradients ? ['y', 'x gradient', 'filter gradient'] : ['y'];
    case 'attention':
      return workload.gradients ? ['output', 'q gradient', 'k gradient', 'v gradient'] : ['output'];
    case 'groupNorm':
      return workload.gradients ? ['y', 'x gradient', 'scale gradient', 'shift gradient'] : ['y'];
    case 'adamW':
      return ['weights after one step'];
    case 'trainingStep':
      return ['losses'];
    default:
      return workload satisfies never;
  }
}

/** How much one repetition does, in the unit in which its speed is reported. */
export function amountOfWork(workload: Workload): { amount: number; unit: 'GFLOP' | 'GB' | 'image' } {
  switch (workload.kind) {
    case 'matmul':
      return { amount: (2 * workload.size ** 3) / 1e9, unit: 'GFLOP' };
    case 'conv2d': {
      const { batch, size, inChannels, outChannels } = workload;
      const forward = 2 * 9 * batch * size ** 2 * inChannels * outChannels;
      return { amount: ((workload.gradients ? 3 : 1) * forward) / 1e9, unit: 'GFLOP' };
    }
    case 'attention': {
      const { batch, tokens, heads, headDim } = workload;
      // Two products forward; backward needs five more: the scores again, dv, dp, dq and dk.
      const product = 2 * batch * heads * tokens ** 2 * headDim;
      return { amount: ((workload.gradients ? 7 : 2) * product) / 1e9, unit: 'GFLOP' };
    }
    case 'groupNorm': {
      const bytes = 4 * workload.batch * workload.size ** 2 * workload.channels;
      // Read x, write y; then read x and dy, write dx.
      return { amount: ((workload.gradients ? 5 : 2) * bytes) / 1e9, unit: 'GB' };
    }
    case 'adamW':
      // Read weight, gradient and two moments; write weight and moments.
      return { amount: (7 * 4 * workload.elements) / 1e9, unit: 'GB' };
    case 'trainingStep':
      return { amount: workload.batch, unit: 'image' };
    default:
      return workload satisfies never;
  }
}

/** The same numbers at every call, for every contender. Needs an open device for the weights of a model. */
export async function makeInputs(workload: Workload): Promise<Inputs> {
  const uniform = uniformTensors(new nn.HostGenerator(20240521));
  switch (workload.kind) {
    case 'matmul': {
      const shape = [workload.size, workload.size];
      return new Map(['a', 'b'].map((name) => [name, uniform(shape, -1, 1)]));
    }
    case 'conv2d': {
      const { batch, size, inChannels, outChannels } = workload;
      return new Map([
        ['x', uniform([batch, size, size, inChannels], -1, 1)],
        ['filter', uniform([outChannels, 3, 3, inChannels], -0.1, 0.1)],
        ['dy', uniform([batch, size, size, outChannels], -1, 1)],
      ]);
    }
    case 'attention': {
      const shape = [workload.batch, workload.tokens, workload.heads, workload.headDim];
      return new Map(['q', 'k', 'v', 'dy'].map((name) => [name, uniform(shape, -2, 2)]));
    }
    case 'groupNorm': {
      const { batch, size, channels } = workload;
      return new Map([
        ['x', uniform([batch, size, size, channels], -2, 2)],
        ['scale', uniform([channels], -1, 1)],
        ['shift', uniform([channels], -1, 1)],
        ['dy', uniform([batch, size, size, channels], -1, 1)],
      ]);
    }
    case 'adamW':
      return new Map(['weights', 'gradient'].map((name) => [name, uniform([workload.elements], -1, 1)]));
    case 'trainingStep':
      return trainingInputs(workload);
    default:
      return workload satisfies never;
  }
}

/**
 * One batch, and the weights of the model, each name after "weights.". Sample i is signal[i] * images[i] + sigma[i] * noise[i], and
 * the model is to predict the velocity signal[i] * noise[i] - sigma[i] * images[i].
 */
async function trainingInputs({ batch, size, config }: TrainingStepWorkload): Promise<Inputs> {
  const generator = new nn.HostGenerator(20240521);
  const uniform = uniformTensors(generator);
  const angles = uniform([batch], 0, Math.PI / 2);
  const perSample = (data: Float32Array): HostTensor => ({ shape: [batch], data });
  const inputs = new Map([
    ['images', uniform([batch, size, size, 3], -1, 1)],
    ['noise', uniform([batch, size, size, 3], -1.7, 1.7)],
    ['signal', perSample(angles.data.map(Math.cos))],
    ['sigma', perSample(angles.data.map(Math.sin))],
    ['timesteps', perSample(angles.data.map((angle) => Math.floor((1000 * angle) / (Math.PI / 2))))],
    ['labels', perSample(uniform([batch], 0, config.num_class_embeds ?? 1).data.map(Math.floor))],
  ]);
  const model = new UNet2DModel(config, { generator });
  for (const [name, tensor] of model.stateDict())
    inputs.set(`weights.${name}`, { shape: tensor.shape, data: Float32Array.from(await tensor.data()) });
  model.dispose();
  return inputs;
}

function uniformTensors(generator: nn.HostGenerator) {
  return (shape: readonly number[], low: number, high: number): HostTensor => {
    const elements = shape.reduce((count, size) => count * size, 1);
    return { shape, data: generator.uniform(elements, low, high) };
  };
}

type Without<W, Key extends string> = W extends unknown ? Omit<W, Key> : never;

/** The forward workload, and forward with backward. */
function withGradients(
  workload: Without<Extract<Workload, { gradients: boolean }>, 'gradients'>,
): Workload[] {
  return [
    { ...workload, title: `${workload.title}: forward`, gradients: false },
    {
      ...workload,
      id: `${workload.id}-gradients`,
      title: `${workload.title}: forward and backward`,
      gradients: true,
    },
  ];
}
