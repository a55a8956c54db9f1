/** 3x3 convolutions with stride 1, and their gradients, by Winograd's algorithm: transforms around one product of matrices for each of 36 positions. */

import type { Conv2dGeometry } from '../../../kernel.js';
import { type EpilogueCode, epilogueCode } from '../../epilogue.js';
import { type DenseMatrix, denseOperand } from '../../gemm/dense.js';
import { gemmProgram } from '../../gemm/gemm.js';
import type { Dispatch, Place, Program } from '../../program.js';
import type { Target } from '../../target.js';
import { type Image, inputImage, outputImage } from '../taps.js';
import {
  finishFilterGrad,
  finishTiles,
  type Tiling,
  tileCount,
  transformFilters,
  transformTiles,
} from './stages.js';
import { POSITIONS, patchTransform, TILE, tileGradTransform } from './transforms.js';

/** Fewest channels on either side that pay for transforming tiles. */
const LEAST_CHANNELS = 16;
/** Fewest tiles that pay for transforming the filter. */
const LEAST_TILES = 16;
/** Elements of the largest transformed tensor: 128 MiB, what WebGPU promises to bind. */
const MOST_ELEMENTS = 2 ** 25;

/**
 * Whether a convolution, or its gradients, is computed this way: where arithmetic is the limit, for filters and channels that suit,
 * unless most of the tiles' pixels would lie beyond the edges.
 */
export function isWinogradSuited(g: Conv2dGeometry, target: Target): boolean {
  const tiling = tilingOf(g.batch, outputImage(g));
  const tiles = Math.max(tileCount(tiling), tileCount(tilingOf(g.batch, inputImage(g))));
  const covered = tileCount(tiling) * TILE * TILE;
  const { inChannels, outChannels } = g;
  return (
    target.adapterClass === 'software' &&
    g.kernelHeight === 3 &&
    g.kernelWidth === 3 &&
    g.strideHeight === 1 &&
    g.strideWidth === 1 &&
    g.dilationHeight === 1 &&
    g.dilationWidth === 1 &&
    inChannels % 4 === 0 &&
    outChannels % 4 === 0 &&
    Math.min(inChannels, outChannels) >= LEAST_CHANNELS &&
    tiles >= LEAST_TILES &&
    2 * covered <= 3 * g.batch * g.outHeight * g.outWidth &&
    POSITIONS * Math.max(tiles * inChannels, tiles * outChannels, inChannels * outChannels) <= MOST_ELEMENTS
  );
}

/** y from [x, w]. */
export function forwardByWinograd(g: Conv2dGeometry, epilogue: EpilogueCode, target: Target): Program {
  return convolve(
    {
      source: inputImage(g),
      result: outputImage(g),
      pad: { row: g.padTop, column: g.padLeft },
      filter: { outChannels: g.outChannels, inChannels: g.inChannels, isReversed: false },
    },
    g.batch,
    epilogue,
    target,
  );
}

/** dx from [dy, w]: the convolution of dy with the filter reversed and its channels exchanged. */
export function inputGradByWinograd(g: Conv2dGeometry, epilogue: EpilogueCode, target: Target): Program {
  return convolve(
    {
      source: outputImage(g),
      result: inputImage(g),
      pad: { row: 2 - g.padTop, column: 2 - g.padLeft },
      filter: { outChannels: g.outChannels, inChannels: g.inChannels, isReversed: true },
    },
    g.batch,
    epilogue,
    target,
  );
}

/** dw from [x, dy]. */
export function filterGradByWinograd(g: Conv2dGeometry, target: Target): Program {
  const { inChannels, outChannels } = g;
  const tiling = tilingOf(g.batch, outputImage(g));
  const tiles = tileCount(tiling);
  const patches = {
    label: 'winograd input',
    transform: patchTransform,
    image: inputImage(g),
    tiling,
    pad: { row: g.padTop, column: g.padLeft },
  };
  const gradients = {
    label: 'winograd output gradient',
    transform: tileGradTransform,
    image: outputImage(g),
    tiling,
    pad: { row: 0, column: 0 },
  };
  const matrix = (rows: number): DenseMatrix => ({
    rows,
    inner: tiles,
    rowStride: 1,
    innerStride: rows,
    batchStride: tiles * rows,
  });
  const [patch, gradient, product] = [0, 1, 2].map((scratch): Place => ({ scratch }));
  return withProducts(
    {
      before: [
        transformTiles(patches, { input: 0 }, patch, target),
        transformTiles(gradients, { input: 1 }, gradient, target),
      ],
      product: { a: matrix(outChannels), b: matrix(inChannels), aPlace: gradient, bPlace: patch },
      after: finishFilterGrad({ outChannels, inChannels }, product, target),
      scratch: [inChannels * tiles, outChannels * tiles, outChannels * inChannels],
    },
    target,
  );
}

/** A 3x3 convolution with stride 1 of inputs [source, filter]. */
function convolve(
  {
    source,
    result,
    pad,
    filter,
  }: {
    readonly source: Image;
    readonly result: Image;
    readonly pad: { readonly row: number; readonly column: number };
    readonly filter: Parameters<typeof transformFilters>[0];
  },
  batch: number,
  epilogue: EpilogueCode,
  target: Target,
): Program {
  const tiling = tilingOf(batch, result);
  const tiles = tileCount(tiling);
  const patches = { label: 'winograd input', transform: patchTransform, image: source, tiling, pad };
  const a: DenseMatrix = {
    rows: tiles,
    inner: source.channels,
    rowStride: source.channels,
    innerStride: 1,
    batchStride: tiles * source.channels,
  };
  // The transformed filter is [outChannels, inChannels] at every position: one side or the other is summed.
  const [rowStride, innerStride] = filter.isReversed ? [1, filter.inChannels] : [filter.inChannels, 1];
  const b: DenseMatrix = {
    rows: result.channels,
    inner: source.channels,
    rowStride,
    innerStride,
    batchStride: source.channels * result.channels,
  };
  const [patch, weight, product] = [0, 1, 2].map((scratch): Place => ({ scratch }));
  return withProducts(
    {
      before: [
        transformFilters(filter, { input: 1 }, weight, target),
        transformTiles(patches, { input: 0 }, patch, target),
      ],
      product: { a, b, aPlace: patch, bPlace: weight },
      after: finishTiles({ image: result, tiling, epilogue }, product, target),
      scratch: [tiles * source.channels, source.channels * result.channels, tiles * result.channels],
    },
    target,
  );
}

/** The program of the transforms with the products of all positions between them; their result is scratch buffer 2. */
function withProducts(
  {
    before,
    product,
    after,
    scratch,
  }: {
    readonly before: readonly Dispatch[];
    readonly product: {
      readonly a: DenseMatrix;
      readonly b: DenseMatrix;
      readonly aPlace: Place;
      readonly bPlace: Place;
    };
    readonly after: Dispatch;
    /** Elements of a position of [patches, gradients or filters, products]. */
    readonly scratch: readonly [number, number, number];
  },
  target: Target,
): Program {
  const { a, b, aPlace, bPlace } = product;
  const gemm = {
    label: 'winograd product',
    batch: POSITIONS,
    rows: a.rows,
    columns: b.rows,
    outer: 1,
    inner: a.inner,
    a: denseOperand('a', aPlace, a),
    b: denseOperand('b', bPlace, b),
    epilogue: epilogueCode({ inputs: [], scalars: [] }),
    output: { scratch: 2 },
  };
  return {
    dispatches: [...before, ...gemmProgram([gemm], target, { splits: 1 }).dispatches, after],
    scratch: scratch.map((elements) => POSITIONS * elements),
  };
}

function tilingOf(batch: number, image: Image): Tiling {
  return { batch, rows: Math.ceil(image.height / TILE), columns: Math.ceil(image.width / TILE) };
}
