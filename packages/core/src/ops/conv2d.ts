/**
 * Two-dimensional convolution, NHWC activations and OHWI filters.
 *
 * Convolution is bilinear, so three kernels are closed under differentiation. With y = conv(x, w), the adjoint in x is
 * inputGrad(dy, w), the adjoint in w is filterGrad(x, dy), and <dy, conv(x, w)> = <inputGrad(dy, w), x> = <filterGrad(x, dy), w>:
 *   conv:       dx = inputGrad(g, w)    dw = filterGrad(x, g)
 *   inputGrad:  ddy = conv(g, w)        dw = filterGrad(g, dy)
 *   filterGrad: dx = inputGrad(dy, g)   ddy = conv(x, g)
 * Operands may be float16; results, and so gradients, are float32. A gradient that is multiplied with float16 is rounded to it.
 */

import type { Conv2dGeometry } from '@dmpo/kernels';
import { autocastOperand, likeOperand } from '../autocast.js';
import { argumentError, formatShape, shapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { call } from './call.js';

type Pair = number | readonly [height: number, width: number];

export interface Conv2dOptions {
  readonly stride?: Pair;
  /** Zeros around the image: everywhere, per axis, or per side. */
  readonly padding?:
    | Pair
    | { readonly top: number; readonly bottom: number; readonly left: number; readonly right: number };
  readonly dilation?: Pair;
  /** Only 1 is implemented. */
  readonly groups?: number;
}

/** x [batch, height, width, inChannels], w [outChannels, kernelHeight, kernelWidth, inChannels] -> [batch, outHeight, outWidth, outChannels]. */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  return forward(autocastOperand(x), autocastOperand(w), geometryOf(x, w, options));
}

function geometryOf(
  x: Tensor,
  w: Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv2dOptions,
): Conv2dGeometry {
  if (groups !== 1)
    throw argumentError(
      'conv2d',
      `groups ${groups}`,
      'Grouped convolution is not supported: use groups 1, or one conv2d per group and concat.',
    );
  if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[3] !== w.shape[3])
    throw shapeError(
      'conv2d',
      [x.shape, w.shape],
      'x must be [batch, height, width, channels] and w [filters, height, width, channels], channels equal.',
    );
  const [batch, inHeight, inWidth, inChannels] = x.shape as [number, number, number, number];
  const [outChannels, kernelHeight, kernelWidth] = w.shape as [number, number, number, number];
  const [strideHeight, strideWidth] = pair('stride', stride, 1);
  const [dilationHeight, dilationWidth] = pair('dilation', dilation, 1);
  const { top, bottom, left, right } = sides(padding);
  const out = (size: number, kernel: number, step: number, spread: number, around: number) =>
    Math.floor((size + around - spread * (kernel - 1) - 1) / step) + 1;
  const outHeight = out(inHeight, kernelHeight, strideHeight, dilationHeight, top + bottom);
  const outWidth = out(inWidth, kernelWidth, strideWidth, dilationWidth, left + right);
  if (outHeight < 1 || outWidth < 1)
    throw shapeError(
      'conv2d',
      [x.shape, w.shape],
      'The filter is larger than the padded image: add padding or use a smaller filter.',
    );
  return {
    batch,
    inHeight,
    inWidth,
    inChannels,
    outHeight,
    outWidth,
    outChannels,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    padTop: top,
    padLeft: left,
    dilationHeight,
    dilationWidth,
  };
}

function pair(name: string, value: Pair, minimum: number): readonly [number, number] {
  const both = typeof value === 'number' ? ([value, value] as const) : value;
  if (both.length !== 2 || !both.every((part) => Number.isInteger(part) && part >= minimum))
    throw argumentError('conv2d', `${name} ${formatShape(both)}`, `Use integers of at least ${minimum}.`);
  return both;
}

function sides(padding: NonNullable<Conv2dOptions['padding']>) {
  if (typeof padding === 'object' && 'top' in padding) {
    const [top, bottom] = pair('padding', [padding.top, padding.bottom], 0);
    const [left, right] = pair('padding', [padding.left, padding.right], 0);
    return { top, bottom, left, right };
  }
  const [vertical, horizontal] = pair('padding', padding, 0);
  return { top: vertical, bottom: vertical, left: horizontal, right: horizontal };
}

function forward(x: Tensor, w: Tensor, geometry: Conv2dGeometry): Tensor {
  const { batch, outHeight, outWidth, outChannels } = geometry;
  const [y] = call({
    kernel: { kind: 'conv2d', geometry },
    inputs: [x, w],
    takesFloat16: true,
    outputShapes: [[batch, outHeight, outWidth, outChannels]],
    gradient: ([dy], [x, w]) => {
      const g = likeOperand(dy as Tensor, x as Tensor);
      return [inputGrad(g, w as Tensor, geometry), filterGrad(x as Tensor, g, geometry)];
    },
  });
  return y as Tensor;
}

function inputGrad(dy: Tensor, w: Tensor, geometry: Conv2dGeometry): Tensor {
  const { batch, inHeight, inWidth, inChannels } = geometry;
  const [dx] = call({
    kernel: { kind: 'conv2dInputGrad', geometry },
    inputs: [dy, w],
    takesFloat16: true,
    outputShapes: [[batch, inHeight, inWidth, inChannels]],
    gradient: ([ddx], [dy, w]) => {
      const g = likeOperand(ddx as Tensor, dy as Tensor);
      return [forward(g, w as Tensor, geometry), filterGrad(g, dy as Tensor, geometry)];
    },
  });
  return dx as Tensor;
}

function filterGrad(x: Tensor, dy: Tensor, geometry: Conv2dGeometry): Tensor {
  const { outChannels, kernelHeight, kernelWidth, inChannels } = geometry;
  const [dw] = call({
    kernel: { kind: 'conv2dFilterGrad', geometry },
    inputs: [x, dy],
    takesFloat16: true,
    outputShapes: [[outChannels, kernelHeight, kernelWidth, inChannels]],
    gradient: ([ddw], [x, dy]) => {
      const g = likeOperand(ddw as Tensor, x as Tensor);
      return [inputGrad(dy as Tensor, g, geometry), forward(x as Tensor, g, geometry)];
    },
  });
  return dw as Tensor;
}
