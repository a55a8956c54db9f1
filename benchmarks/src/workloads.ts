/** What is measured: the workloads, their sizes and their seeded inputs. */

import { nn } from '@dmpo/core';
import { type UNet2DConfig, UNet2DModel } from '@dmpo/dmpo';
import type { Inputs } from './contender.js';
import type { HostTensor } from './host-tensor.js';

/** Whose speed a workload compares: that of libraries on the CPU, or of libraries on WebGPU. */
export type Processor = 'cpu' | 'gpu';

interface WorkloadBase {
  readonly id: string;
  readonly processor: Processor;
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

/** What a suite's workloads are made of. */
interface SuiteSizes {
  /** The first is the one that targets look at. */
  readonly matmul: readonly number[];
  readonly conv2d: Sizes<Conv2dWorkload>;
  readonly attention: Sizes<AttentionWorkload>;
  readonly groupNorm: Sizes<GroupNormWorkload>;
  readonly adamW: number;
  readonly trainingStep: Sizes<TrainingStepWorkload> & { readonly model: string };
}

type Sizes<W> = Omit<W, 'id' | 'title' | 'processor' | 'kind' | 'gradients'>;

/** Small enough for the float64 reference device and for every continuous-integration run. */
const tiny: SuiteSizes = {
  matmul: [24],
  conv2d: { batch: 2, size: 6, inChannels: 8, outChannels: 12 },
  attention: { batch: 2, tokens: 10, heads: 3, headDim: 8 },
  groupNorm: { batch: 2, size: 6, channels: 8, groups: 4 },
  adamW: 1000,
  trainingStep: {
    model: 'small UNet',
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
};

const emojiStep = { model: 'emoji UNet', size: 32, config: emojiUNet };

/** The sizes that are reported of the CPU. */
export const fullWorkloads = suite('cpu', {
  matmul: [512],
  conv2d: { batch: 8, size: 32, inChannels: 64, outChannels: 64 },
  attention: { batch: 2, tokens: 512, heads: 8, headDim: 64 },
  groupNorm: { batch: 8, size: 32, channels: 64, groups: 8 },
  adamW: 1 << 20,
  trainingStep: { ...emojiStep, batch: 32 },
});

/** The sizes that are reported of WebGPU: on graphics cards those of Stable Diffusion 1.5, on software adapters what takes seconds. */
export function webgpuWorkloads({ isSoftware }: { readonly isSoftware: boolean }): readonly Workload[] {
  if (isSoftware)
    return suite('gpu', {
      matmul: [512],
      conv2d: { batch: 2, size: 32, inChannels: 64, outChannels: 64 },
      attention: { batch: 1, tokens: 256, heads: 4, headDim: 40 },
      groupNorm: { batch: 2, size: 32, channels: 64, groups: 8 },
      adamW: 1 << 18,
      trainingStep: { ...emojiStep, batch: 2 },
    });
  return suite('gpu', {
    matmul: [1024, 512, 2048],
    conv2d: { batch: 1, size: 64, inChannels: 320, outChannels: 320 },
    attention: { batch: 1, tokens: 4096, heads: 8, headDim: 40 },
    groupNorm: { batch: 4, size: 64, channels: 320, groups: 32 },
    adamW: 1 << 22,
    trainingStep: { ...emojiStep, batch: 32 },
  });
}

export const quickWorkloads: readonly Workload[] = [...suite('cpu', tiny), ...suite('gpu', tiny)];

/** Every kind of workload, those with gradients without them too. */
function suite(processor: Processor, sizes: SuiteSizes): readonly Workload[] {
  const named = (id: string, title: string) => ({
    id: processor === 'cpu' ? id : `webgpu-${id}`,
    title,
    processor,
  });
  const { conv2d, attention, groupNorm, adamW, trainingStep } = sizes;
  const { batch, tokens, heads, headDim } = attention;
  const image = ({ batch, size }: { batch: number; size: number }, channels: number) =>
    [batch, size, size, channels].join('x');
  const { model, ...step } = trainingStep;
  return [
    ...sizes.matmul.map((size, index): MatmulWorkload => {
      const id = index === 0 ? 'matmul' : `matmul-${size}`;
      return { ...named(id, `matmul ${size} x ${size} x ${size}`), kind: 'matmul', size };
    }),
    ...withGradients({
      ...named('conv2d', `conv2d 3x3, ${image(conv2d, conv2d.inChannels)} to ${conv2d.outChannels} channels`),
      kind: 'conv2d',
      ...conv2d,
    }),
    ...withGradients({
      ...named('attention', `attention, ${batch} x ${tokens} tokens, ${heads} heads of ${headDim}`),
      kind: 'attention',
      ...attention,
    }),
    ...withGradients({
      ...named(
        'group-norm-silu',
        `GroupNorm + SiLU, ${image(groupNorm, groupNorm.channels)}, ${groupNorm.groups} groups`,
      ),
      kind: 'groupNorm',
      ...groupNorm,
    }),
    {
      ...named('adamw', `AdamW step of ${adamW.toLocaleString('en')} weights`),
      kind: 'adamW',
      elements: adamW,
    },
    {
      ...named('training-step', `${model} training step, batch ${step.batch}`),
      kind: 'trainingStep',
      ...step,
    },
  ];
}

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
