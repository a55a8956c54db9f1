/** Kernels of every kind in the sizes of real models, and in sizes that nothing divides. */

import type { DType } from '../dtype.js';
import type { Conv2dGeometry, Kernel } from '../kernel.js';
import { type EpilogueName, epilogueCase, epilogueNames } from './epilogues.js';
import { ExpressionBuilder } from './expression-builder.js';
import { sameGeometry } from './properties.js';

/** The UNet of Stable Diffusion 1.5 at 64x64 latents, one image. */
export function stableDiffusionKernels(): Kernel[] {
  const residual: EpilogueName[] = ['none', 'residual', 'time embedding'];
  return [
    ...convolutions(sameGeometry(1, 64, 4, 320), ['bias']),
    ...convolutions(sameGeometry(1, 64, 320, 320), residual),
    ...convolutions(sameGeometry(1, 64, 320, 4), ['bias']),
    ...convolutions(sameGeometry(1, 64, 320, 320, 2), ['bias']),
    ...convolutions(sameGeometry(1, 32, 640, 640), residual),
    ...convolutions(sameGeometry(1, 16, 1280, 1280), residual),
    ...convolutions(sameGeometry(1, 8, 1280, 1280), residual),
    ...convolutions(sameGeometry(1, 8, 2560, 1280), ['bias']),
    ...convolutions(pointwise(sameGeometry(1, 64, 640, 320)), ['bias']),
    ...[
      [4096, 320, 320],
      [4096, 2560, 320],
      [4096, 320, 1280],
      [1024, 640, 640],
      [256, 1280, 1280],
      [77, 320, 768],
      [77, 640, 768],
      [77, 1280, 768],
      [1, 1280, 320],
      [1, 1280, 1280],
    ].flatMap(([m, n, k]) => matmuls(1, m, n, k, ['none', 'bias', 'residual'])),
    ...attentions(1, 8, 4096, 4096, 40),
    ...attentions(1, 8, 1024, 1024, 80),
    ...attentions(1, 8, 256, 256, 160),
    ...attentions(1, 8, 4096, 77, 40),
    ...attentions(1, 8, 64, 77, 160),
    ...attentions(1, 10, 4096, 4096, 64),
    ...groupNorms(1, 4096, 320, 32),
    ...groupNorms(1, 1024, 1920, 32),
    ...groupNorms(1, 64, 2560, 32),
    ...layerNorms(4096, 320),
    ...layerNorms(77, 768),
    { kind: 'softmax', rows: 8 * 256, columns: 77, ...floats(1) },
    ...gathers(49408, 768, 77),
    ...reductions([4096, 320]),
    ...reductions([1, 320, 64, 64]),
    adamw(320 * 2880),
  ];
}

/** The small UNet that the command line trains on emoji: 16x16 and below, batches of 2 and more. */
export function smallKernels(): Kernel[] {
  return [
    ...convolutions(sameGeometry(2, 32, 3, 32), ['bias']),
    ...convolutions(sameGeometry(8, 16, 64, 64), ['residual', 'time embedding']),
    ...convolutions(sameGeometry(8, 32, 32, 64, 2), ['bias']),
    ...matmuls(1, 8, 128, 64, ['bias silu']),
    ...matmuls(8, 256, 256, 64, ['none']),
    ...attentions(8, 2, 64, 64, 32),
    ...groupNorms(8, 1024, 32, 8),
    ...layerNorms(16, 64),
    { kind: 'softmax', rows: 64, columns: 64, ...floats(1) },
    ...gathers(10, 32, 8),
    ...reductions([8, 16, 16, 64]),
    adamw(1024),
  ];
}

/** Sizes on both sides of the edges of tiles, and of one. */
export function oddKernels(): Kernel[] {
  const sizes = [1, 2, 3, 5, 17, 31, 33, 65, 130];
  return [
    ...sizes.flatMap((m, i) =>
      matmuls(1 + (i % 3), m, sizes[(i * 4 + 1) % sizes.length], sizes[(i * 7 + 3) % sizes.length], [
        ...epilogueNames,
      ]),
    ),
    ...matmuls(3, 1, 1, 1, ['none']),
    ...matmuls(1, 2, 3, 20000, ['bias']),
    ...convolutions(sameGeometry(3, 7, 5, 9), [...epilogueNames]),
    ...convolutions(sameGeometry(1, 9, 36, 20, 2), ['bias silu']),
    ...convolutions({ ...sameGeometry(2, 11, 3, 7), strideHeight: 3, dilationWidth: 2, kernelHeight: 5 }, [
      'bias',
    ]),
    ...convolutions(pointwise(sameGeometry(2, 5, 3, 1)), ['scalar']),
    ...attentions(1, 1, 1, 1, 1),
    ...attentions(2, 3, 33, 17, 12),
    ...attentions(1, 2, 5, 300, 256),
    ...attentions(1, 1, 9, 9, 300),
    ...groupNorms(2, 1, 6, 3),
    ...groupNorms(1, 35, 30, 2),
    ...layerNorms(3, 7),
    ...layerNorms(1, 1),
    { kind: 'softmax', rows: 1, columns: 1, ...floats(1) },
    { kind: 'softmax', rows: 5, columns: 5000, ...floats(1) },
    ...gathers(3, 5, 7),
    ...gathers(17, 33, 130),
    ...reductions([7, 5, 3]),
    ...reductions([100003]),
    ...reductions([0, 3]),
    adamw(1),
    adamw(77),
    random(1001),
  ];
}

/** The kernel with float16 wherever it may be; nothing for one that takes none. */
export function inFloat16(kernel: Kernel): Kernel[] {
  const halves = (first: number, end: number) =>
    kernel.inputs.map((dtype, i): DType => (i >= first && i < end ? 'float16' : dtype));
  switch (kernel.kind) {
    case 'matmul':
    case 'conv2d':
    case 'conv2dInputGrad':
    case 'conv2dFilterGrad':
      return [{ ...kernel, inputs: halves(0, 2) }];
    case 'attention':
      return [{ ...kernel, inputs: halves(0, 3) }];
    case 'attentionGrad':
      return [{ ...kernel, inputs: halves(1, 4) }];
    case 'groupNorm':
    case 'layerNorm':
      return [{ ...kernel, resultType: 'float16' }];
    default:
      return [];
  }
}

const floats = (count: number) => ({ inputs: new Array<DType>(count).fill('float32'), scalars: [] });

function matmuls(batch: number, m: number, n: number, k: number, epilogues: EpilogueName[]): Kernel[] {
  const sizes = { batch, m, n, k, batchedA: true };
  return epilogues.flatMap((name): Kernel[] => {
    const { kernel } = epilogueCase(name, [batch, m, n], 1);
    return [
      { kind: 'matmul', ...sizes, transposeA: false, transposeB: true, batchedB: batch === 1, ...kernel },
      { kind: 'matmul', ...sizes, transposeA: false, transposeB: false, batchedB: true, ...kernel },
      { kind: 'matmul', ...sizes, transposeA: true, transposeB: false, batchedB: true, ...kernel },
    ];
  });
}

function convolutions(geometry: Conv2dGeometry, epilogues: EpilogueName[]): Kernel[] {
  const { batch, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = geometry;
  const withEpilogues = epilogues.flatMap((name): Kernel[] => {
    const forward = epilogueCase(name, [batch, outHeight * outWidth, outChannels], 1).kernel;
    const inputGrad = epilogueCase(name, [batch, inHeight * inWidth, inChannels], 1).kernel;
    return [
      { kind: 'conv2d', geometry, ...forward },
      { kind: 'conv2dInputGrad', geometry, ...inputGrad },
    ];
  });
  return [...withEpilogues, { kind: 'conv2dFilterGrad', geometry, ...floats(2) }];
}

function pointwise(geometry: Conv2dGeometry): Conv2dGeometry {
  return { ...geometry, kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 };
}

function attentions(batch: number, heads: number, queries: number, keys: number, headDim: number): Kernel[] {
  const sizes = { batch, heads, queries, keys, headDim, scale: headDim ** -0.5 };
  return [
    { kind: 'attention', ...sizes, ...floats(3) },
    { kind: 'attentionGrad', ...sizes, ...floats(6) },
  ];
}

function groupNorms(batch: number, positions: number, channels: number, groups: number): Kernel[] {
  const sizes = { batch, positions, channels, groups };
  return [true, false].flatMap((silu): Kernel[] => [
    { kind: 'groupNorm', ...sizes, epsilon: 1e-5, silu, ...floats(3) },
    { kind: 'groupNormGrad', ...sizes, silu, ...floats(6) },
  ]);
}

function layerNorms(rows: number, channels: number): Kernel[] {
  return [
    { kind: 'layerNorm', rows, channels, epsilon: 1e-5, ...floats(3) },
    { kind: 'layerNormGrad', rows, channels, ...floats(5) },
  ];
}

function gathers(rows: number, columns: number, count: number): Kernel[] {
  const sizes = { rows, columns, count, inputs: ['float32', 'int32'] as const, scalars: [] };
  return [
    { kind: 'gather', ...sizes },
    { kind: 'gatherGrad', ...sizes },
  ];
}

/** Each axis alone, the first and the last, and all of them; sums, means and maxima of squares. */
function reductions(shape: readonly number[]): Kernel[] {
  const all = shape.map((_, axis) => axis);
  const choices = [...all.map((axis) => [axis]), [...new Set([0, shape.length - 1])], all];
  const e = new ExpressionBuilder(shape);
  const value = e.load(0);
  const expression = e.build(e.apply('mul', value, value));
  return choices.flatMap((axes) =>
    (['sum', 'mean', 'max'] as const).map(
      (reduction): Kernel => ({ kind: 'reduce', reduction, shape, axes, expression, ...floats(1) }),
    ),
  );
}

/** Three results of four inputs and many scalars, as an optimiser's step has. */
function adamw(elements: number): Kernel {
  const e = new ExpressionBuilder([elements]);
  const [parameter, gradient, first, second] = [0, 1, 2, 3].map((input) => e.load(input));
  const decay = (slot: number, before: number, now: number) =>
    e.apply('add', e.apply('mul', before, e.scalar(slot)), e.apply('mul', now, e.scalar(slot + 1)));
  const nextFirst = decay(0, first, gradient);
  const nextSecond = decay(2, second, e.apply('mul', gradient, gradient));
  const root = e.apply('add', e.apply('sqrt', e.apply('mul', nextSecond, e.scalar(4))), e.scalar(5));
  const step = e.apply('div', e.apply('mul', nextFirst, e.scalar(6)), root);
  const next = e.apply('sub', e.apply('mul', parameter, e.scalar(7)), step);
  return {
    kind: 'map',
    inputs: new Array<DType>(4).fill('float32'),
    scalars: new Array<DType>(8).fill('float32'),
    shape: [elements],
    expression: e.build(next, nextFirst, nextSecond),
  };
}

function random(elements: number): Kernel {
  const e = new ExpressionBuilder([elements]);
  const key = [0, 1].map((slot) => e.scalar(slot, 'uint32'));
  const counter = e.apply('toUint32', e.index());
  const expression = e.build(
    e.apply('randomNormal', key[0], key[1], counter),
    e.apply('randomUniform', key[0], key[1], counter),
  );
  return { kind: 'map', inputs: [], scalars: ['uint32', 'uint32'], shape: [elements], expression };
}
