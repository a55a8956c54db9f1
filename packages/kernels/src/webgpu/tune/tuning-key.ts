/** What a measured choice of tiles holds for: an adapter, the WebGPU that drives it, and the WGSL that was measured. */

import type { Conv2dGeometry, Kernel } from '../../kernel.js';
import { tileNames } from '../gemm/tiles.js';
import { kernelProgram } from '../kernels.js';
import type { Target } from '../target.js';

/** One line, to look the choice up by. */
export async function tuningKey(adapter: string, implementation: string, target: Target): Promise<string> {
  return `${adapter} | ${implementation} | ${await sourceHash(target)}`;
}

/** Sixteen hexadecimal digits that change with the code of any GEMM or convolution in any tile. */
async function sourceHash(target: Target): Promise<string> {
  const sources = tileNames.flatMap((tile) => {
    const forced: Target = { ...target, tuned: { get: () => tile } };
    return samples.flatMap((kernel) => kernelProgram(kernel, forced, []).dispatches.map(({ code }) => code));
  });
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sources.join('\n')));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const geometry: Conv2dGeometry = {
  batch: 1,
  inHeight: 8,
  inWidth: 8,
  inChannels: 64,
  outHeight: 8,
  outWidth: 8,
  outChannels: 64,
  kernelHeight: 3,
  kernelWidth: 3,
  strideHeight: 1,
  strideWidth: 1,
  padTop: 1,
  padLeft: 1,
  dilationHeight: 1,
  dilationWidth: 1,
};

const operands = { inputs: ['float32', 'float32'], scalars: [] } as const;

const samples: readonly Kernel[] = [
  ...[false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB): Kernel => ({
        kind: 'matmul',
        ...operands,
        batch: 1,
        m: 128,
        n: 128,
        k: 128,
        transposeA,
        transposeB,
        batchedA: true,
        batchedB: true,
      }),
    ),
  ),
  { kind: 'conv2d', ...operands, geometry },
  { kind: 'conv2dInputGrad', ...operands, geometry },
  { kind: 'conv2dFilterGrad', ...operands, geometry },
];
