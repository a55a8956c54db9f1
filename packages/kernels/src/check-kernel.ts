/** What the contract asks of a kernel. Devices check it once, when they compile the kernel. */

import { DmpoError } from './errors.js';
import type { Expression } from './expression.js';
import { type Conv2dGeometry, type Kernel, kernelOutputs } from './kernel.js';
import { elementCount } from './view.js';

/** Devices count the elements of an index space, and the elements of a buffer, in 32 bits. */
const MOST_ELEMENTS = 2 ** 32;
const MOST_DIMENSIONS = 32;

/** Throws `INVALID_KERNEL` naming what is wrong. */
export function checkKernel(kernel: Kernel): void {
  checkFloat16(kernel);
  switch (kernel.kind) {
    case 'map':
      checkShape(kernel);
      break;
    case 'reduce': {
      checkShape(kernel);
      const { instructions, results } = kernel.expression;
      const { dtype } = instructions[results[0]];
      if (kernel.reduction === 'mean' && dtype !== 'float32') {
        throw problem(kernel, `takes the mean of ${dtype}`, 'Convert to float32 first.');
      }
      break;
    }
    case 'matmul':
      checkSizes(kernel, ['batch', 'm', 'n', 'k']);
      break;
    case 'conv2d':
    case 'conv2dInputGrad':
    case 'conv2dFilterGrad':
      checkSizes({ kind: kernel.kind, ...kernel.geometry }, geometrySizes);
      break;
    case 'groupNorm':
    case 'groupNormGrad':
      checkSizes(kernel, ['batch', 'positions', 'channels', 'groups']);
      if (kernel.channels % kernel.groups !== 0) {
        throw problem(kernel, `cannot divide ${kernel.channels} channels into ${kernel.groups} groups`);
      }
      break;
    case 'layerNorm':
    case 'layerNormGrad':
      checkSizes(kernel, ['rows', 'channels']);
      break;
    case 'attention':
    case 'attentionGrad':
      checkSizes(kernel, ['batch', 'heads', 'queries', 'keys', 'headDim']);
      break;
    case 'softmax':
      checkSizes(kernel, ['rows', 'columns']);
      break;
    case 'gather':
    case 'gatherGrad':
      checkSizes(kernel, ['rows', 'columns', 'count']);
      break;
    default:
      kernel satisfies never;
  }
}

/** Throws `UNSUPPORTED_DTYPE` where a device that has no float16 is to compute with it. */
export function refuseFloat16(kernel: Kernel, device: string): void {
  const types = [...kernel.inputs, ...kernel.scalars, ...kernelOutputs(kernel).map(({ dtype }) => dtype)];
  const isUsed = expressionOf(kernel)?.instructions.some(({ dtype }) => dtype === 'float16') ?? false;
  if (isUsed || types.includes('float16')) throw noFloat16(device);
}

/** What a device without float16 says. */
export function noFloat16(device: string): DmpoError {
  return new DmpoError(
    'UNSUPPORTED_DTYPE',
    `The ${device} device has no float16.`,
    "Use float32 (mixedPrecision 'no'), or the webgpu device.",
  );
}

/** float16 is stored and converted; only what an expression loads, and operands that are multiplied, may be it. */
function checkFloat16(kernel: Kernel): void {
  const fix = 'Convert to float32 first.';
  const isProduct = /^(matmul|conv2d|attention)/.test(kernel.kind);
  const expression = expressionOf(kernel);
  if (expression === undefined && !isProduct && kernel.inputs.includes('float16')) {
    throw problem(kernel, 'takes float16', fix);
  }
  if (expression === undefined) return;
  const { instructions, results } = expression;
  for (const instruction of instructions) {
    const takes =
      'args' in instruction && instruction.args.some((arg) => instructions[arg].dtype === 'float16');
    if (takes && instruction.op !== 'toFloat32')
      throw problem(kernel, `has ${instruction.op} of float16`, fix);
  }
  if (kernel.kind === 'reduce' && instructions[results[0]].dtype === 'float16') {
    throw problem(kernel, 'reduces float16', fix);
  }
}

function expressionOf(kernel: Kernel): Expression | undefined {
  if ('expression' in kernel) return kernel.expression;
  return 'epilogue' in kernel ? kernel.epilogue?.expression : undefined;
}

/** All but the padding, which may be any number. */
const geometrySizes = [
  'batch',
  'inHeight',
  'inWidth',
  'inChannels',
  'outHeight',
  'outWidth',
  'outChannels',
  'kernelHeight',
  'kernelWidth',
  'strideHeight',
  'strideWidth',
  'dilationHeight',
  'dilationWidth',
] as const satisfies readonly (keyof Conv2dGeometry)[];

type Named = { readonly kind: Kernel['kind'] };

function checkSizes<Name extends string>(
  sizes: Named & Readonly<Record<Name, number>>,
  names: readonly Name[],
): void {
  for (const name of names) {
    if (!Number.isInteger(sizes[name]) || sizes[name] < 1) throw problem(sizes, `has ${name} ${sizes[name]}`);
  }
}

function checkShape(kernel: Named & { readonly shape: readonly number[] }): void {
  const { shape } = kernel;
  const isFine = shape.every((size) => Number.isInteger(size) && size >= 0);
  if (isFine && shape.length <= MOST_DIMENSIONS && elementCount(shape) < MOST_ELEMENTS) return;
  throw problem(kernel, `has the shape [${shape.join(', ')}]`);
}

const aboutSizes = [
  'Sizes are positive integers (those of map and reduce may be 0),',
  `of at most ${MOST_DIMENSIONS} dimensions and fewer than 2^32 elements.`,
].join(' ');

function problem({ kind }: Named, text: string, fix = aboutSizes): DmpoError {
  return new DmpoError('INVALID_KERNEL', `A ${kind} kernel ${text}.`, fix);
}
