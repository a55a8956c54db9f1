/**
 * How far a float32 result may lie from the float64 reference.
 *
 * A backward stable algorithm in float32 returns the exact result of inputs that are changed by a relative c * sqrt(K) * u,
 * where u = 2^-24 is the unit roundoff and K the number of roundings that pile up in one element (Higham & Mary, "A new approach
 * to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019: sqrt(K) * u where the worst case has K * u).
 * So we measure, on the reference device, how far the result moves when every float input changes by +-u at random, and allow
 * c * sqrt(K) times the largest movement in the output, with c = 4, and the rounding of the result itself.
 */

import type { Device } from '../device.js';
import type { DType } from '../dtype.js';
import { roundFloat16 } from '../float16.js';
import type { Epilogue, Kernel } from '../kernel.js';
import { randomBits } from '../portable/random.js';
import { elementCount } from '../view.js';
import type { Tolerance } from './allclose.js';
import { runKernel } from './run-kernel.js';

/** Unit roundoff of float32. */
export const UNIT_ROUNDOFF = 2 ** -24;

const SAFETY = 4;
const PERTURBATIONS = 2;

/** One tolerance per output. `exact` are the reference's outputs for these inputs. */
export async function roundingTolerances(
  reference: Device,
  kernel: Kernel,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[],
  exact: readonly ArrayLike<number>[],
): Promise<Tolerance[]> {
  const movement = exact.map(() => 0);
  for (let seed = 1; seed <= PERTURBATIONS; seed++) {
    const moved = await runKernel(
      reference,
      withoutFloat16(kernel),
      inputs.map((data, i) => perturbed(data, kernel.inputs[i], seed + 16 * i)),
      perturbed(scalars, 'float32', seed + 1024).map((value, i) =>
        kernel.scalars[i] === 'float32' ? value : scalars[i],
      ),
    );
    moved.forEach((output, o) => {
      for (let i = 0; i < output.length; i++) {
        const distance = Math.abs(output[i] - exact[o][i]);
        if (Number.isFinite(distance)) movement[o] = Math.max(movement[o], distance);
      }
    });
  }
  const factor = SAFETY * Math.sqrt(roundings(kernel));
  return movement.map((distance) => (expected) => factor * distance + UNIT_ROUNDOFF * Math.abs(expected));
}

/** The kernel on inputs that may lie between float16 numbers; the reference device looks no closer at dtypes. */
function withoutFloat16(kernel: Kernel): Kernel {
  return { ...kernel, inputs: kernel.inputs.map((dtype) => (dtype === 'float16' ? 'float32' : dtype)) };
}

function perturbed(data: ArrayLike<number>, dtype: DType, seed: number): number[] {
  return Array.from(data, (value, i) => {
    const number = dtype === 'float16' ? roundFloat16(value) : value;
    const factor = 1 + (randomBits(seed, 3, i) & 1 ? UNIT_ROUNDOFF : -UNIT_ROUNDOFF);
    return dtype.startsWith('float') ? number * factor : number;
  });
}

/** Roundings that pile up in one element of the result: the length of its longest sum, and of its expression. */
function roundings(kernel: Kernel): number {
  switch (kernel.kind) {
    case 'map':
      return kernel.expression.instructions.length;
    case 'reduce': {
      const { shape, axes, expression } = kernel;
      return elementCount(axes.map((d) => shape[d])) + expression.instructions.length;
    }
    case 'matmul':
      return kernel.k + epilogueLength(kernel.epilogue);
    case 'conv2d': {
      const { kernelHeight, kernelWidth, inChannels } = kernel.geometry;
      return kernelHeight * kernelWidth * inChannels + epilogueLength(kernel.epilogue);
    }
    case 'conv2dInputGrad': {
      const { kernelHeight, kernelWidth, outChannels } = kernel.geometry;
      return kernelHeight * kernelWidth * outChannels + epilogueLength(kernel.epilogue);
    }
    case 'conv2dFilterGrad': {
      const { batch, outHeight, outWidth } = kernel.geometry;
      return batch * outHeight * outWidth;
    }
    case 'groupNorm':
      return (kernel.positions * kernel.channels) / kernel.groups;
    case 'groupNormGrad':
      return Math.max((kernel.positions * kernel.channels) / kernel.groups, kernel.batch * kernel.positions);
    case 'layerNorm':
      return kernel.channels;
    case 'layerNormGrad':
      return Math.max(kernel.channels, kernel.rows);
    case 'attention':
      return kernel.headDim + kernel.keys;
    case 'attentionGrad':
      return kernel.headDim + Math.max(kernel.queries, kernel.keys);
    case 'softmax':
      return kernel.columns;
    case 'gather':
      return 1;
    case 'gatherGrad':
      return kernel.count;
    default:
      return kernel satisfies never;
  }
}

function epilogueLength(epilogue: Epilogue | undefined): number {
  return epilogue?.expression.instructions.length ?? 0;
}
