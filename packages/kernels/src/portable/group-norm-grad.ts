/**
 * Gradient of groupNorm. With xhat = (x - mean) * rstd, z = xhat * scale + shift and dz the gradient at z (before SiLU):
 *   dScale = sum dz * xhat,  dShift = sum dz  over batch and positions
 *   dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)),  dxhat = dz * scale, means over the group
 */

import type { GroupNormGradKernel } from '../kernel.js';
import { sigmoid } from './math.js';
import type { NumberArray, PassArgument, PortablePass, PortableProgram, PortableThread } from './types.js';
import { input, pass, result } from './types.js';

export interface GroupNormGradConstants {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
}

export function groupNormGradProgram(kernel: GroupNormGradKernel): PortableProgram {
  const { batch, positions, channels, groups, silu } = kernel;
  const constants: GroupNormGradConstants = { batch, positions, channels, groups };
  const [dy, x, scale, shift, mean, rstd] = [0, 1, 2, 3, 4, 5].map(input);
  if (!silu) return affineNormGradProgram(constants, [], dy, x, scale, mean, rstd);
  const dz = pass(
    groupNormSiluGrad,
    constants,
    [dy, x, scale, shift, mean, rstd],
    batch * positions * channels,
  );
  return affineNormGradProgram(constants, [dz], result(0), x, scale, mean, rstd);
}

/** dx, dScale and dShift from dz, which `before` computes if it is not an input of the kernel. */
export function affineNormGradProgram(
  constants: GroupNormGradConstants,
  before: readonly PortablePass[],
  dz: PassArgument,
  x: PassArgument,
  scale: PassArgument,
  mean: PassArgument,
  rstd: PassArgument,
): PortableProgram {
  const { batch, positions, channels, groups } = constants;
  const first = before.length;
  const meanGrad = result(first);
  const meanProduct = result(first + 1);
  return {
    passes: [
      ...before,
      pass(groupNormMeanGrad, constants, [dz, scale], batch * groups),
      pass(groupNormMeanProduct, constants, [dz, x, scale, mean, rstd], batch * groups),
      pass(
        groupNormInputGrad,
        constants,
        [dz, x, scale, mean, rstd, meanGrad, meanProduct],
        batch * positions * channels,
      ),
      pass(groupNormScaleGrad, constants, [dz, x, mean, rstd], channels),
      pass(groupNormShiftGrad, constants, [dz], channels),
    ],
    outputs: [first + 2, first + 3, first + 4],
  };
}

/** dz where SiLU follows the affine result z: silu'(z) = s + z * s * (1 - s), s = sigmoid(z). */
export function groupNormSiluGrad(
  this: PortableThread<GroupNormGradConstants>,
  dy: NumberArray,
  x: NumberArray,
  scale: NumberArray,
  shift: NumberArray,
  mean: NumberArray,
  rstd: NumberArray,
): number {
  const channel = this.thread.x % this.constants.channels;
  const image = Math.floor(this.thread.x / (this.constants.channels * this.constants.positions));
  const group =
    image * this.constants.groups + Math.floor((channel * this.constants.groups) / this.constants.channels);
  const z = (x[this.thread.x] - mean[group]) * rstd[group] * scale[channel] + shift[channel];
  const s = sigmoid(z);
  return dy[this.thread.x] * (s + z * s * (1 - s));
}

/** Mean of dxhat over each group [batch, groups]. */
export function groupNormMeanGrad(
  this: PortableThread<GroupNormGradConstants>,
  dz: NumberArray,
  scale: NumberArray,
): number {
  const width = this.constants.channels / this.constants.groups;
  const first = (this.thread.x % this.constants.groups) * width;
  const image = Math.floor(this.thread.x / this.constants.groups);
  let sum = 0;
  for (let position = 0; position < this.constants.positions; position++) {
    const base = (image * this.constants.positions + position) * this.constants.channels;
    for (let c = 0; c < width; c++) {
      sum += dz[base + first + c] * scale[first + c];
    }
  }
  return sum / (this.constants.positions * width);
}

/** Mean of dxhat * xhat over each group [batch, groups]. */
export function groupNormMeanProduct(
  this: PortableThread<GroupNormGradConstants>,
  dz: NumberArray,
  x: NumberArray,
  scale: NumberArray,
  mean: NumberArray,
  rstd: NumberArray,
): number {
  const width = this.constants.channels / this.constants.groups;
  const first = (this.thread.x % this.constants.groups) * width;
  const image = Math.floor(this.thread.x / this.constants.groups);
  let sum = 0;
  for (let position = 0; position < this.constants.positions; position++) {
    const base = (image * this.constants.positions + position) * this.constants.channels;
    for (let c = 0; c < width; c++) {
      const xhat = (x[base + first + c] - mean[this.thread.x]) * rstd[this.thread.x];
      sum += dz[base + first + c] * scale[first + c] * xhat;
    }
  }
  return sum / (this.constants.positions * width);
}

export function groupNormInputGrad(
  this: PortableThread<GroupNormGradConstants>,
  dz: NumberArray,
  x: NumberArray,
  scale: NumberArray,
  mean: NumberArray,
  rstd: NumberArray,
  meanGrad: NumberArray,
  meanProduct: NumberArray,
): number {
  const channel = this.thread.x % this.constants.channels;
  const image = Math.floor(this.thread.x / (this.constants.channels * this.constants.positions));
  const group =
    image * this.constants.groups + Math.floor((channel * this.constants.groups) / this.constants.channels);
  const xhat = (x[this.thread.x] - mean[group]) * rstd[group];
  return rstd[group] * (dz[this.thread.x] * scale[channel] - meanGrad[group] - xhat * meanProduct[group]);
}

export function groupNormScaleGrad(
  this: PortableThread<GroupNormGradConstants>,
  dz: NumberArray,
  x: NumberArray,
  mean: NumberArray,
  rstd: NumberArray,
): number {
  const groupInImage = Math.floor((this.thread.x * this.constants.groups) / this.constants.channels);
  let sum = 0;
  for (let image = 0; image < this.constants.batch; image++) {
    const group = image * this.constants.groups + groupInImage;
    for (let position = 0; position < this.constants.positions; position++) {
      const index = (image * this.constants.positions + position) * this.constants.channels + this.thread.x;
      sum += dz[index] * (x[index] - mean[group]) * rstd[group];
    }
  }
  return sum;
}

export function groupNormShiftGrad(this: PortableThread<GroupNormGradConstants>, dz: NumberArray): number {
  let sum = 0;
  for (let row = 0; row < this.constants.batch * this.constants.positions; row++) {
    sum += dz[row * this.constants.channels + this.thread.x];
  }
  return sum;
}
