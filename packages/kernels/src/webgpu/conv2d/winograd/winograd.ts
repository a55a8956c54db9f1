/**
 * 3x3 convolutions with stride 1, and their gradients, by Winograd's algorithm: transforms of tiles around one product of matrices
 * for each of 36 positions.
 */

import type { Conv2dGeometry } from '../../../kernel.js';
import { type EpilogueCode, epilogueCode } from '../../epilogue.js';
import { type DenseMatrix, denseOperand } from '../../gemm/dense.js';
import { gemmProgram } from '../../gemm/gemm.js';
import type { Dispatch, Place, Program } from '../../program.js';
import type { Target } from '../../target.js';
import { type Image, inputImage, outputImage } from '../taps.js';
import {
  type Filter,
  finishFilterGrad,
  finishTiles,
  type Tiling,
  tileCount,
  transformFilter,
  transformTiles,
} from './stages.js';
import { POSITIONS, patchTransform, TILE, tileGradTransform } from './transforms.js';

/** Fewest channels on either side that pay for transforming tiles, and tiles that pay for transforming the filter. */
const LEAST_CHANNELS = 12;
const LEAST_TILES = 8;
/** Elements of the largest transformed tensor: 128 MiB, what WebGPU promises to bind. */
const MOST_ELEMENTS = 2 ** 25;

/**
 * Whether a convolution and its gradients are computed this way: on adapters where arithmetic is the limit, unless the transforms
 * would cost more than they save or most of the tiles' pixels would lie beyond the edges. It takes half to a quarter of the time.
 */
export function isWinogradSuited(g: Conv2dGeometry, target: Target): boolean {
  const { inChannels, outChannels } = g;
  const isPlain =
    g.kernelHeight === 3 &&
    g.kernelWidth === 3 &&
    g.strideHeight === 1 &&
    g.strideWidth === 1 &&
    g.dilationHeight === 1 &&
    g.dilationWidth === 1;
  const outputTiles = tileCount(tilingOf(g.batch, outputImage(g)));
  const tiles = Math.max(outputTiles, tileCount(tilingOf(g.batch, inputImage(g))));
  const isTiledWell = 2 * outputTiles * TILE * TILE <= 3 * g.batch * g.outHeight * g.outWidth;
  const transformed = POSITIONS * Math.max(tiles * inChannels, tiles * outChannels, inChannels * outChannels);
  return (
    target.adapterClass === 'software' &&
    isPlain &&
    Math.min(inChannels, outChannels) >= LEAST_CHANNELS &&
    outputTiles >= LEAST_TILES &&
    isTiledWell &&
    transformed <= MOST_ELEMENTS
  );
}

/** y from [x, w]. */
export function forwardByWinograd(g: Conv2dGeometry, epilogue: EpilogueCode, target: Target): Program {
  const convolution = {
    batch: g.batch,
    source: inputImage(g),
    result: outputImage(g),
    pad: { row: g.padTop, column: g.padLeft },
    filter: { outChannels: g.outChannels, inChannels: g.inChannels, isReversed: false },
  };
  return convolve(convolution, epilogue, target);
}

/** dx from [dy, w]: the convolution of dy with the filter reversed and its channels exchanged. */
export function inputGradByWinograd(g: Conv2dGeometry, epilogue: EpilogueCode, target: Target): Program {
  const convolution = {
    batch: g.batch,
    source: outputImage(g),
    result: inputImage(g),
    pad: { row: 2 - g.padTop, column: 2 - g.padLeft },
    filter: { outChannels: g.outChannels, inChannels: g.inChannels, isReversed: true },
  };
  return convolve(convolution, epilogue, target);
}

/** dw from [x, dy]. */
export function filterGradByWinograd(g: Conv2dGeometry, target: Target): Program {
  const tiling = tilingOf(g.batch, outputImage(g));
  const tiles = tileCount(tiling);
  const gradients = {
    label: 'winograd output gradient',
    transform: tileGradTransform,
    image: outputImage(g),
    tiling,
    pad: { row: 0, column: 0 },
  };
  const patches = {
    label: 'winograd input',
    transform: patchTransform,
    image: inputImage(g),
    tiling,
    pad: { row: g.padTop, column: g.padLeft },
  };
  // Both are [tile, channel] at every position, and the tiles are summed.
  const channels = (rows: number): Factor => ({ rows, inner: tiles, rowStride: 1, innerStride: rows });
  return aroundProducts(
    [
      transformTiles(gradients, { input: 1 }, LEFT, target),
      transformTiles(patches, { input: 0 }, RIGHT, target),
    ],
    channels(g.outChannels),
    channels(g.inChannels),
    finishFilterGrad(g, PRODUCT, target),
    target,
  );
}

/** A 3x3 convolution with stride 1 of inputs [source, filter]. */
interface Convolution {
  readonly batch: number;
  readonly source: Image;
  readonly result: Image;
  readonly pad: { readonly row: number; readonly column: number };
  readonly filter: Filter & { readonly isReversed: boolean };
}

function convolve(
  { batch, source, result, pad, filter }: Convolution,
  epilogue: EpilogueCode,
  target: Target,
): Program {
  const tiling = tilingOf(batch, result);
  const patches = { label: 'winograd input', transform: patchTransform, image: source, tiling, pad };
  const inner = source.channels;
  // The transformed filter is [outChannels, inChannels] at every position; one or the other is summed.
  const [rowStride, innerStride] = filter.isReversed ? [1, filter.inChannels] : [filter.inChannels, 1];
  return aroundProducts(
    [
      transformTiles(patches, { input: 0 }, LEFT, target),
      transformFilter(filter, { input: 1 }, RIGHT, target),
    ],
    { rows: tileCount(tiling), inner, rowStride: inner, innerStride: 1 },
    { rows: result.channels, inner, rowStride, innerStride },
    finishTiles({ image: result, tiling, epilogue }, PRODUCT, target),
    target,
  );
}

const LEFT: Place = { scratch: 0 };
const RIGHT: Place = { scratch: 1 };
const PRODUCT: Place = { scratch: 2 };

/** A matrix at each position, one behind the other. */
type Factor = Omit<DenseMatrix, 'batchStride'>;

/** The program that fills the scratch buffers LEFT and RIGHT, multiplies them position by position, and reads PRODUCT. */
function aroundProducts(
  before: readonly Dispatch[],
  left: Factor,
  right: Factor,
  after: Dispatch,
  target: Target,
): Program {
  const operand = (name: string, place: Place, factor: Factor) =>
    denseOperand(name, place, { ...factor, batchStride: factor.rows * factor.inner });
  const gemm = {
    label: 'winograd product',
    batch: POSITIONS,
    rows: left.rows,
    columns: right.rows,
    outer: 1,
    inner: left.inner,
    a: operand('a', LEFT, left),
    b: operand('b', RIGHT, right),
    epilogue: epilogueCode({ inputs: [], scalars: [] }),
    output: PRODUCT,
  };
  // With 36 products there is work for everyone without splitting sums.
  const products = gemmProgram([gemm], target, { splits: 1 });
  const elements = [left.rows * left.inner, right.rows * right.inner, left.rows * right.rows];
  return {
    dispatches: [...before, ...products.dispatches, after],
    scratch: elements.map((count) => POSITIONS * count),
  };
}

function tilingOf(batch: number, image: Image): Tiling {
  return { batch, rows: Math.ceil(image.height / TILE), columns: Math.ceil(image.width / TILE) };
}
