/** A kernel in a few words, for errors and profiles. */

import type { Conv2dGeometry, Kernel } from './kernel.js';

/** Its kind and sizes: 'matmul 4096x320x1280', in the order m, n, k. */
export function kernelTitle(kernel: Kernel): string {
  return `${kernel.kind} ${sizesOf(kernel)}`;
}

function sizesOf(kernel: Kernel): string {
  switch (kernel.kind) {
    case 'map':
      return product(kernel.shape);
    case 'reduce':
      return `${kernel.reduction} ${product(kernel.shape)} over ${kernel.axes.join(', ')}`;
    case 'matmul':
      return `${kernel.batch === 1 ? '' : `${kernel.batch} of `}${product([kernel.m, kernel.n, kernel.k])}`;
    case 'conv2d':
    case 'conv2dInputGrad':
    case 'conv2dFilterGrad':
      return convolution(kernel.geometry);
    case 'groupNorm':
    case 'groupNormGrad':
      return `${product([kernel.batch, kernel.positions, kernel.channels])} in ${kernel.groups}`;
    case 'layerNorm':
    case 'layerNormGrad':
      return product([kernel.rows, kernel.channels]);
    case 'attention':
    case 'attentionGrad':
      return `${product([kernel.batch, kernel.heads])} of ${product([kernel.queries, kernel.keys, kernel.headDim])}`;
    case 'softmax':
      return product([kernel.rows, kernel.columns]);
    case 'gather':
    case 'gatherGrad':
      return `${kernel.count} of ${product([kernel.rows, kernel.columns])}`;
    default:
      return kernel satisfies never;
  }
}

function convolution(g: Conv2dGeometry): string {
  const filter = product([g.kernelHeight, g.kernelWidth]);
  const stride = g.strideHeight * g.strideWidth === 1 ? '' : `/${Math.max(g.strideHeight, g.strideWidth)}`;
  return `${filter}${stride} ${product([g.batch, g.inHeight, g.inWidth, g.inChannels])} to ${g.outChannels}`;
}

function product(sizes: readonly number[]): string {
  return sizes.length === 0 ? '1' : sizes.join('x');
}
