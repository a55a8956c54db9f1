/** GroupNorm of x [batch, positions, channels] with an optional SiLU: the statistics of each group, then the result. */

import type { GroupNormKernel } from '../kernel.js';
import { sigmoid } from './math.js';
import type { NumberArray, PortableProgram, PortableThread } from './types.js';
import { input, pass, result } from './types.js';

export interface GroupNormConstants {
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  /** 1 to apply SiLU, else 0. */
  readonly silu: number;
}

export function groupNormProgram(kernel: GroupNormKernel): PortableProgram {
  const { batch, positions, channels, groups, epsilon } = kernel;
  const constants: GroupNormConstants = { positions, channels, groups, epsilon, silu: kernel.silu ? 1 : 0 };
  return {
    passes: [
      pass(groupNormMean, constants, [input(0)], batch * groups),
      pass(groupNormRstd, constants, [input(0), result(0)], batch * groups),
      pass(
        groupNorm,
        constants,
        [input(0), input(1), input(2), result(0), result(1)],
        batch * positions * channels,
      ),
    ],
    outputs: [2, 0, 1],
  };
}

/** Mean of each group [batch, groups]. */
export function groupNormMean(this: PortableThread<GroupNormConstants>, x: NumberArray): number {
  const width = this.constants.channels / this.constants.groups;
  const group = this.thread.x % this.constants.groups;
  const image = Math.floor(this.thread.x / this.constants.groups);
  const base = image * this.constants.positions * this.constants.channels + group * width;
  let sum = 0;
  for (let position = 0; position < this.constants.positions; position++) {
    for (let c = 0; c < width; c++) {
      sum += x[base + position * this.constants.channels + c];
    }
  }
  return sum / (this.constants.positions * width);
}

/** 1 / sqrt(biased variance + epsilon) of each group [batch, groups]. */
export function groupNormRstd(
  this: PortableThread<GroupNormConstants>,
  x: NumberArray,
  mean: NumberArray,
): number {
  const width = this.constants.channels / this.constants.groups;
  const group = this.thread.x % this.constants.groups;
  const image = Math.floor(this.thread.x / this.constants.groups);
  const base = image * this.constants.positions * this.constants.channels + group * width;
  let sum = 0;
  for (let position = 0; position < this.constants.positions; position++) {
    for (let c = 0; c < width; c++) {
      const deviation = x[base + position * this.constants.channels + c] - mean[this.thread.x];
      sum += deviation * deviation;
    }
  }
  return 1 / Math.sqrt(sum / (this.constants.positions * width) + this.constants.epsilon);
}

/** (x - mean) * rstd * scale + shift, and SiLU of it where asked for. */
export function groupNorm(
  this: PortableThread<GroupNormConstants>,
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
  const y = (x[this.thread.x] - mean[group]) * rstd[group] * scale[channel] + shift[channel];
  if (this.constants.silu === 1) return y * sigmoid(y);
  return y;
}
