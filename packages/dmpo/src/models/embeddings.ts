/** Turns timesteps into vectors: sinusoids of many frequencies, then a small network. */

import { concat, nn, type Tensor, tensor } from '@dmpo/core';

export interface SinusoidOptions {
  /** Cosines first. Default false, as in diffusers' function; UNets usually set it. */
  readonly flipSinToCos?: boolean;
  /** Subtracted from the number of frequencies when they are spaced. Default 1, as in diffusers' function. */
  readonly freqShift?: number;
  /** Factor on the angles. Default 1. */
  readonly scale?: number;
}

/**
 * Sinusoidal embedding of timesteps [batch] (any number type) -> [batch, size], size even: sines and cosines of
 * scale * t * 10000^(-i / (size / 2 - freqShift)); Vaswani et al., arXiv 1706.03762, in diffusers' convention.
 */
export function timestepEmbedding(timesteps: Tensor, size: number, options: SinusoidOptions = {}): Tensor {
  const { flipSinToCos = false, freqShift = 1, scale = 1 } = options;
  const half = size / 2;
  const frequencies = Float64Array.from(
    { length: half },
    (_, i) => scale * 10000 ** (-i / (half - freqShift)),
  );
  const angles = timesteps
    .cast('float32')
    .reshape(-1, 1)
    .mul(tensor(frequencies, [1, half]));
  return concat(flipSinToCos ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()], 1);
}

/** Two linear layers with SiLU between: [batch, inputSize] -> [batch, outputSize]. */
export class TimestepEmbedding extends nn.Module {
  readonly linear_1: nn.Linear;
  readonly linear_2: nn.Linear;

  constructor(inputSize: number, outputSize: number, options: nn.InitializationOptions) {
    super();
    this.linear_1 = new nn.Linear(inputSize, outputSize, options);
    this.linear_2 = new nn.Linear(outputSize, outputSize, options);
  }

  forward(x: Tensor): Tensor {
    return this.linear_2.forward(this.linear_1.forward(x).silu());
  }
}
