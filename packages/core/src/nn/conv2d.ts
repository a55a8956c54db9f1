/** Conv2d: a convolution with learned filters. */

import { type Conv2dOptions as ConvolutionOptions, conv2d } from '../ops/conv2d.js';
import { Parameter } from '../parameter.js';
import type { Tensor } from '../tensor.js';
import { fanInUniform, type InitializationOptions } from './initialization.js';
import { Module } from './module.js';

export interface Conv2dOptions extends ConvolutionOptions, InitializationOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** Weight [outChannels, kernelHeight, kernelWidth, inChannels] (in files [out, in, height, width]), bias [outChannels]. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  protected override readonly fileAxes = { weight: [0, 3, 1, 2] };
  readonly #convolution: ConvolutionOptions;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [height: number, width: number],
    { bias = true, generator, ...convolution }: Conv2dOptions = {},
  ) {
    super();
    const [height, width] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
    const fanIn = height * width * inChannels;
    const draw = (count: number) => fanInUniform(count, fanIn, generator);
    const filters = channelsLast(draw(outChannels * fanIn), outChannels, inChannels, height * width);
    this.weight = new Parameter(filters, [outChannels, height, width, inChannels]);
    this.bias = bias ? new Parameter(draw(outChannels), [outChannels]) : undefined;
    this.#convolution = convolution;
  }

  /** x [batch, height, width, inChannels] -> [batch, outHeight, outWidth, outChannels]. */
  forward(x: Tensor): Tensor {
    const y = conv2d(x, this.weight, this.#convolution);
    return this.bias ? y.add(this.bias) : y;
  }
}

/** Filters drawn in PyTorch's order [filter, channel, tap] as [filter, tap, channel]. */
function channelsLast(drawn: Float32Array, filters: number, channels: number, taps: number): Float32Array {
  const result = new Float32Array(drawn.length);
  for (let filter = 0; filter < filters; filter++) {
    const first = filter * channels * taps;
    for (let channel = 0; channel < channels; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        result[first + tap * channels + channel] = Number(drawn[first + channel * taps + tap]);
      }
    }
  }
  return result;
}
