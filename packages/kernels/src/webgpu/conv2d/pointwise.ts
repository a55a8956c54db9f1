/** Convolutions with a 1x1 filter that meets every pixel once: products of the matrices [pixels, channels] and [out, in]. */

import type { Conv2dGeometry } from '../../kernel.js';
import type { EpilogueCode } from '../epilogue.js';
import { denseOperand } from '../gemm/dense.js';
import type { Gemm } from '../gemm/gemm.js';

export function isPointwise(g: Conv2dGeometry): boolean {
  return (
    g.kernelHeight === 1 &&
    g.kernelWidth === 1 &&
    g.strideHeight === 1 &&
    g.strideWidth === 1 &&
    g.padTop === 0 &&
    g.padLeft === 0 &&
    g.outHeight === g.inHeight &&
    g.outWidth === g.inWidth
  );
}

/** y = x w^T. */
export function pointwiseForward(g: Conv2dGeometry, epilogue: EpilogueCode): Gemm {
  const { pixels, inChannels, outChannels } = sizes(g);
  return product('conv2d 1x1', epilogue, {
    rows: pixels,
    columns: outChannels,
    inner: inChannels,
    a: { input: 0, rowStride: inChannels, innerStride: 1 },
    b: { input: 1, rowStride: inChannels, innerStride: 1 },
  });
}

/** dx = dy w. */
export function pointwiseInputGrad(g: Conv2dGeometry, epilogue: EpilogueCode): Gemm {
  const { pixels, inChannels, outChannels } = sizes(g);
  return product('conv2d 1x1 input gradient', epilogue, {
    rows: pixels,
    columns: inChannels,
    inner: outChannels,
    a: { input: 0, rowStride: outChannels, innerStride: 1 },
    b: { input: 1, rowStride: 1, innerStride: inChannels },
  });
}

/** dw = dy^T x. */
export function pointwiseFilterGrad(g: Conv2dGeometry, epilogue: EpilogueCode): Gemm {
  const { pixels, inChannels, outChannels } = sizes(g);
  return product('conv2d 1x1 filter gradient', epilogue, {
    rows: outChannels,
    columns: inChannels,
    inner: pixels,
    a: { input: 1, rowStride: 1, innerStride: outChannels },
    b: { input: 0, rowStride: 1, innerStride: inChannels },
  });
}

interface Factor {
  readonly input: number;
  readonly rowStride: number;
  readonly innerStride: number;
}

interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly a: Factor;
  readonly b: Factor;
}

function product(label: string, epilogue: EpilogueCode, { rows, columns, inner, a, b }: Product): Gemm {
  const operand = (name: string, { input, ...strides }: Factor, length: number) =>
    denseOperand(name, { input }, { rows: length, inner, ...strides, batchStride: 0 });
  return {
    label,
    batch: 1,
    rows,
    columns,
    outer: 1,
    inner,
    a: operand('a', a, rows),
    b: operand('b', b, columns),
    epilogue,
    output: { output: 0 },
  };
}

function sizes(g: Conv2dGeometry): { pixels: number; inChannels: number; outChannels: number } {
  return {
    pixels: g.batch * g.outHeight * g.outWidth,
    inChannels: g.inChannels,
    outChannels: g.outChannels,
  };
}
