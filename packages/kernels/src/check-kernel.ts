/** What the contract asks of a kernel. Devices check it once, when they compile the kernel. */

import { DmpoError } from './errors.js';
import type { Conv2dGeometry, Kernel } from './kernel.js';
import { elementCount } from './view.js';

/** Devices count the elements of an index space, and the elements of a buffer, in 32 bits. */
const MOST_ELEMENTS = 2 ** 32;
const MOST_DIMENSIONS = 32;

/** Throws `INVALID_KERNEL` naming what is wrong. */
export function checkKernel(kernel: Kernel): void {
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
