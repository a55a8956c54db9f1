/** Which pixels of its source a convolution sums into each pixel of its result: the forward pass and the input gradient. */

import type { Conv2dGeometry } from '../../kernel.js';

export interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Filter tap number `filter`, counted along [r, s], times the source pixel that lies so far from where the sum starts. */
export interface Tap {
  readonly row: number;
  readonly column: number;
  readonly filter: number;
}

/** Pixels of the result with the same taps: (row + i * resultStep.row, column + j * resultStep.column). */
export interface PixelClass {
  readonly row: number;
  readonly column: number;
  readonly taps: readonly Tap[];
}

/**
 * result[row + i * resultStep.row, column + j * resultStep.column] = sum over the taps of the class of
 * source[i * sourceStep.row + tap.row, j * sourceStep.column + tap.column] times the filter's tap; pixels outside the source are 0.
 */
export interface TapSum {
  readonly batch: number;
  readonly source: Image;
  readonly result: Image;
  readonly sourceStep: { readonly row: number; readonly column: number };
  readonly resultStep: { readonly row: number; readonly column: number };
  /** Rows i and columns j of every class. */
  readonly rows: number;
  readonly columns: number;
  /** Taps of every class. */
  readonly taps: number;
  readonly classes: readonly PixelClass[];
}

/** The forward pass: all pixels are of one class. */
export function forwardTaps(g: Conv2dGeometry): TapSum {
  const taps = filterTaps(g).map(({ r, s, filter }) => ({
    row: r * g.dilationHeight - g.padTop,
    column: s * g.dilationWidth - g.padLeft,
    filter,
  }));
  return {
    batch: g.batch,
    source: inputImage(g),
    result: outputImage(g),
    sourceStep: { row: g.strideHeight, column: g.strideWidth },
    resultStep: { row: 1, column: 1 },
    rows: g.outHeight,
    columns: g.outWidth,
    taps: taps.length,
    classes: [{ row: 0, column: 0, taps }],
  };
}

/**
 * The input gradient: input pixel h meets tap r of output pixel p where h = p * stride - pad + r * dilation. Which taps that can
 * be depends on the remainder of h by the stride: there are stride * stride classes, and every tap belongs to one of them. The
 * classes of one size and number of taps make one sum, so that no tap is visited in vain.
 */
export function inputGradTaps(g: Conv2dGeometry): TapSum[] {
  const sums = new Map<string, TapSum & { classes: PixelClass[] }>();
  for (let row = 0; row < Math.min(g.strideHeight, g.inHeight); row++) {
    for (let column = 0; column < Math.min(g.strideWidth, g.inWidth); column++) {
      const taps = filterTaps(g).flatMap(({ r, s, filter }) => {
        const down = (row + g.padTop - r * g.dilationHeight) / g.strideHeight;
        const right = (column + g.padLeft - s * g.dilationWidth) / g.strideWidth;
        const meets = Number.isInteger(down) && Number.isInteger(right);
        return meets ? [{ row: down, column: right, filter }] : [];
      });
      const rows = Math.ceil((g.inHeight - row) / g.strideHeight);
      const columns = Math.ceil((g.inWidth - column) / g.strideWidth);
      const key = `${rows} ${columns} ${taps.length}`;
      const sum = sums.get(key) ?? {
        batch: g.batch,
        source: outputImage(g),
        result: inputImage(g),
        sourceStep: { row: 1, column: 1 },
        resultStep: { row: g.strideHeight, column: g.strideWidth },
        rows,
        columns,
        taps: taps.length,
        classes: [],
      };
      sum.classes.push({ row, column, taps });
      sums.set(key, sum);
    }
  }
  return [...sums.values()];
}

export function inputImage(g: Conv2dGeometry): Image {
  return { height: g.inHeight, width: g.inWidth, channels: g.inChannels };
}

export function outputImage(g: Conv2dGeometry): Image {
  return { height: g.outHeight, width: g.outWidth, channels: g.outChannels };
}

function filterTaps(g: Conv2dGeometry): { r: number; s: number; filter: number }[] {
  return Array.from({ length: g.kernelHeight * g.kernelWidth }, (_, filter) => ({
    r: Math.floor(filter / g.kernelWidth),
    s: filter % g.kernelWidth,
    filter,
  }));
}
