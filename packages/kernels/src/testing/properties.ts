/** fast-check with a fixed seed, and the arbitraries that several suites share. */

import fc from 'fast-check';
import type { Conv2dGeometry } from '../kernel.js';
import { type EpilogueName, epilogueNames } from './epilogues.js';

/** Checks a property on `runs` cases, always the same ones. */
export async function forAll<Case>(
  cases: fc.Arbitrary<Case>,
  runs: number,
  check: (one: Case) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(cases, check), { seed: 20_240_501, numRuns: runs });
}

export const size = (min: number, max: number) => fc.integer({ min, max });
export const seeds = size(0, 1_000_000);
export const anyEpilogue: fc.Arbitrary<EpilogueName> = fc.constantFrom(...epilogueNames);

/** Convolutions of every stride, dilation and padding, the padding below and right unlike that above and left. */
export const geometries: fc.Arbitrary<Conv2dGeometry> = fc
  .record({
    batch: size(1, 3),
    height: size(1, 9),
    width: size(1, 9),
    inChannels: size(1, 19),
    outChannels: size(1, 19),
    kernelHeight: size(1, 4),
    kernelWidth: size(1, 4),
    strideHeight: size(1, 3),
    strideWidth: size(1, 3),
    padTop: size(0, 2),
    padLeft: size(0, 2),
    padBottom: size(0, 2),
    padRight: size(0, 2),
    dilationHeight: size(1, 2),
    dilationWidth: size(1, 2),
  })
  .map(({ height, width, padBottom, padRight, ...sizes }) => {
    const inHeight = height + sizes.dilationHeight * (sizes.kernelHeight - 1);
    const inWidth = width + sizes.dilationWidth * (sizes.kernelWidth - 1);
    return {
      ...sizes,
      inHeight,
      inWidth,
      outHeight: Math.floor((height - 1 + sizes.padTop + padBottom) / sizes.strideHeight) + 1,
      outWidth: Math.floor((width - 1 + sizes.padLeft + padRight) / sizes.strideWidth) + 1,
    };
  });

/** Larger 3x3 convolutions with stride 1, of the kind that fast devices compute by another algorithm than the rest. */
export const plainGeometries: fc.Arbitrary<Conv2dGeometry> = fc
  .record({
    batch: size(1, 3),
    inHeight: size(16, 27),
    inWidth: size(16, 27),
    inChannels: size(3, 6).map((vectors) => 4 * vectors),
    outChannels: size(3, 6).map((vectors) => 4 * vectors),
    padTop: size(0, 2),
    padLeft: size(0, 2),
    padBottom: size(0, 2),
    padRight: size(0, 2),
  })
  .map(({ padBottom, padRight, ...sizes }) => ({
    ...sameGeometry(sizes.batch, 1, sizes.inChannels, sizes.outChannels),
    ...sizes,
    outHeight: sizes.inHeight + sizes.padTop + padBottom - 2,
    outWidth: sizes.inWidth + sizes.padLeft + padRight - 2,
  }));

/** A 3x3 convolution with "same" padding of the sizes that networks use. */
export function sameGeometry(
  batch: number,
  side: number,
  inChannels: number,
  outChannels: number,
  stride = 1,
): Conv2dGeometry {
  const out = Math.ceil(side / stride);
  return {
    batch,
    inHeight: side,
    inWidth: side,
    inChannels,
    outHeight: out,
    outWidth: out,
    outChannels,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: stride,
    strideWidth: stride,
    padTop: 1,
    padLeft: 1,
    dilationHeight: 1,
    dilationWidth: 1,
  };
}
