/** The kernels that are measured on a GPU: what SD1.5 at 512 x 512 spends its time in, and the emoji model's. */

import type { Conv2dGeometry, DType, Kernel } from '@dmpo/kernels';

/** float16 storage with float32 accumulation, or float32. */
export type Precision = 'float32' | 'float16';

/** What bounds a kernel on a GPU, and the share of that ceiling that it means to reach. */
export interface Goal {
  readonly ceiling: 'flops' | 'bytes';
  readonly share: number;
}

export interface Shape {
  readonly id: string;
  readonly title: string;
  readonly precision: Precision;
  readonly kernel: Kernel;
  readonly goal?: Goal;
  /** The same work for PyTorch: the name of a function of torch-kernels.py and its arguments. */
  readonly torch: { readonly operation: string; readonly sizes: readonly number[] };
}

const arithmetic: Goal = { ceiling: 'flops', share: 0.6 };
const fusedAttention: Goal = { ceiling: 'flops', share: 0.4 };
const memory: Goal = { ceiling: 'bytes', share: 0.8 };

/** `scale` 1 for graphics cards; a software adapter takes 4 or more, which divides batches, tokens and channels. */
export function shapes(precisions: readonly Precision[], scale: number): Shape[] {
  const small = (size: number, smallest = 16) => Math.max(smallest, Math.round(size / scale / 16) * 16);
  return [
    ...precisions.flatMap((precision) =>
      [512, 1024, 2048].map((size) => matmul(small(size), small(size), small(size), precision)),
    ),
    ...precisions.flatMap((precision) =>
      [
        // [height and width, channels in, channels out] of SD1.5's four levels, one image.
        [64, 320, 320],
        [32, 640, 640],
        [16, 1280, 1280],
        [8, 1280, 1280],
      ].flatMap(([side, from, to]) => convolutions(small(side, 8), small(from), small(to), precision)),
    ),
    // [tokens of queries, of keys, heads, head dim]
    ...[
      [4096, 4096, 8, 40],
      [1024, 1024, 8, 80],
      [4096, 77, 8, 40],
    ].flatMap(([queries, keys, heads, headDim]) =>
      attentions(small(queries), Math.min(keys, small(keys)), heads, headDim),
    ),
    ...[
      [4096, 320],
      [1024, 640],
    ].flatMap(([positions, channels]) => groupNorms(4, small(positions), channels)),
    adamW(Math.round((16 * 2 ** 20) / scale)),
  ];
}

function matmul(m: number, n: number, k: number, precision: Precision): Shape {
  return {
    id: `matmul-${m}-${precision}`,
    title: `matmul ${m} x ${n} x ${k}, ${precision}`,
    precision,
    goal: arithmetic,
    torch: { operation: 'matmul', sizes: [m, n, k] },
    kernel: {
      kind: 'matmul',
      inputs: [precision, precision] as DType[],
      scalars: [],
      batch: 1,
      m,
      n,
      k,
      transposeA: false,
      transposeB: false,
      batchedA: true,
      batchedB: true,
    },
  };
}

function convolutions(side: number, inChannels: number, outChannels: number, precision: Precision): Shape[] {
  const geometry: Conv2dGeometry = {
    batch: 1,
    inHeight: side,
    inWidth: side,
    inChannels,
    outHeight: side,
    outWidth: side,
    outChannels,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    padTop: 1,
    padLeft: 1,
    dilationHeight: 1,
    dilationWidth: 1,
  };
  const kinds = [
    ['conv2d', 'forward'],
    ['conv2dInputGrad', 'input gradient'],
    ['conv2dFilterGrad', 'filter gradient'],
  ] as const;
  return kinds.map(([kind, what]) => ({
    id: `${kind}-${side}-${inChannels}-${precision}`,
    title: `conv2d 3x3 ${side}x${side}x${inChannels} to ${outChannels}, ${what}, ${precision}`,
    precision,
    goal: arithmetic,
    torch: { operation: kind, sizes: [side, inChannels, outChannels] },
    kernel: { kind, inputs: [precision, precision] as DType[], scalars: [], geometry },
  }));
}

function attentions(queries: number, keys: number, heads: number, headDim: number): Shape[] {
  const sizes = { batch: 1, heads, queries, keys, headDim, scale: 1 / Math.sqrt(headDim) };
  const name = `attention ${queries} x ${keys} tokens, ${heads} heads of ${headDim}`;
  const floats = (count: number) => new Array<DType>(count).fill('float32');
  const torchSizes = [queries, keys, heads, headDim];
  return [
    {
      id: `attention-${queries}-${keys}-${headDim}`,
      title: `${name}, forward`,
      precision: 'float32',
      goal: fusedAttention,
      torch: { operation: 'attention', sizes: torchSizes },
      kernel: { kind: 'attention', inputs: floats(3), scalars: [], ...sizes },
    },
    {
      id: `attention-grad-${queries}-${keys}-${headDim}`,
      title: `${name}, backward`,
      precision: 'float32',
      goal: fusedAttention,
      torch: { operation: 'attentionGrad', sizes: torchSizes },
      kernel: { kind: 'attentionGrad', inputs: floats(6), scalars: [], ...sizes },
    },
  ];
}

function groupNorms(batch: number, positions: number, channels: number): Shape[] {
  const sizes = { batch, positions, channels, groups: 32, silu: true };
  const name = `GroupNorm + SiLU ${batch} x ${positions} x ${channels}`;
  const floats = (count: number) => new Array<DType>(count).fill('float32');
  const torchSizes = [batch, positions, channels];
  return [
    {
      id: `group-norm-${positions}`,
      title: `${name}, forward`,
      precision: 'float32',
      goal: memory,
      torch: { operation: 'groupNorm', sizes: torchSizes },
      kernel: { kind: 'groupNorm', inputs: floats(3), scalars: [], ...sizes, epsilon: 1e-5 },
    },
    {
      id: `group-norm-grad-${positions}`,
      title: `${name}, backward`,
      precision: 'float32',
      goal: memory,
      torch: { operation: 'groupNormGrad', sizes: torchSizes },
      kernel: { kind: 'groupNormGrad', inputs: floats(6), scalars: [], ...sizes },
    },
  ];
}

/** The update as the planner makes it: one map that changes weight and moments in place, weight decay apart from the gradient. */
function adamW(elements: number): Shape {
  const view = { offset: 0, strides: [1] };
  const load = (input: number) => ({ op: 'load', dtype: 'float32', input, view }) as const;
  const scalar = (slot: number) => ({ op: 'scalar', dtype: 'float32', slot }) as const;
  const apply = (op: 'add' | 'sub' | 'mul' | 'div' | 'sqrt', ...args: number[]) =>
    ({ op, dtype: 'float32', args }) as const;
  const instructions = [
    load(0), // 0: weight
    load(1), // 1: gradient
    load(2), // 2: first moment
    load(3), // 3: second moment
    scalar(0), // 4: beta1
    scalar(1), // 5: 1 - beta1
    scalar(2), // 6: beta2
    scalar(3), // 7: 1 - beta2
    scalar(4), // 8: learning rate over the first bias correction
    scalar(5), // 9: 1 over the root of the second
    scalar(6), // 10: epsilon
    scalar(7), // 11: 1 - learning rate * weight decay
    apply('mul', 2, 4), // 12
    apply('mul', 1, 5), // 13
    apply('add', 12, 13), // 14: new first moment
    apply('mul', 3, 6), // 15
    apply('mul', 1, 1), // 16
    apply('mul', 16, 7), // 17
    apply('add', 15, 17), // 18: new second moment
    apply('sqrt', 18), // 19
    apply('mul', 19, 9), // 20
    apply('add', 20, 10), // 21
    apply('mul', 14, 8), // 22
    apply('div', 22, 21), // 23
    apply('mul', 0, 11), // 24
    apply('sub', 24, 23), // 25: new weight
  ];
  return {
    id: `adamw-${elements}`,
    title: `AdamW of ${(elements / 2 ** 20).toFixed(0)} Mi weights, in place`,
    precision: 'float32',
    goal: memory,
    torch: { operation: 'adamW', sizes: [elements] },
    kernel: {
      kind: 'map',
      inputs: new Array<DType>(4).fill('float32'),
      scalars: new Array<DType>(8).fill('float32'),
      shape: [elements],
      expression: { instructions, results: [25, 14, 18] },
    },
  };
}

/** Inputs that an output of the AdamW map overwrites: [input, output]. */
export function inPlaceBuffers({ kernel }: Shape): readonly (readonly [number, number])[] {
  return kernel.kind === 'map'
    ? [
        [0, 0],
        [2, 1],
        [3, 2],
      ]
    : [];
}
