/** Adjoint of conv2d in x: dy NHWC, w OHWI, output dx NHWC. dx gathers from every output position whose tap falls on it. */

import type { Conv2dGeometry } from '../kernel.js';
import type { NumberArray, PortableThread } from './types.js';

export function conv2dInputGrad(
  this: PortableThread<Conv2dGeometry>,
  dy: NumberArray,
  w: NumberArray,
): number {
  const inChannel = this.thread.x % this.constants.inChannels;
  const position = Math.floor(this.thread.x / this.constants.inChannels);
  const column = position % this.constants.inWidth;
  const row = Math.floor(position / this.constants.inWidth) % this.constants.inHeight;
  const image = Math.floor(position / (this.constants.inWidth * this.constants.inHeight));
  const wStride = this.constants.kernelHeight * this.constants.kernelWidth * this.constants.inChannels;
  let sum = 0;
  for (let r = 0; r < this.constants.kernelHeight; r++) {
    const steppedRow = row + this.constants.padTop - r * this.constants.dilationHeight;
    const outRow = Math.floor(steppedRow / this.constants.strideHeight);
    for (let s = 0; s < this.constants.kernelWidth; s++) {
      const steppedColumn = column + this.constants.padLeft - s * this.constants.dilationWidth;
      const outColumn = Math.floor(steppedColumn / this.constants.strideWidth);
      if (
        outRow * this.constants.strideHeight === steppedRow &&
        outColumn * this.constants.strideWidth === steppedColumn &&
        outRow >= 0 &&
        outRow < this.constants.outHeight &&
        outColumn >= 0 &&
        outColumn < this.constants.outWidth
      ) {
        const dyBase =
          ((image * this.constants.outHeight + outRow) * this.constants.outWidth + outColumn) *
          this.constants.outChannels;
        const wBase = (r * this.constants.kernelWidth + s) * this.constants.inChannels + inChannel;
        for (let o = 0; o < this.constants.outChannels; o++) {
          sum += dy[dyBase + o] * w[wBase + o * wStride];
        }
      }
    }
  }
  return sum;
}
