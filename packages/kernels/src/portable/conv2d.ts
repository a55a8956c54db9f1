/** Two-dimensional convolution (cross-correlation): x NHWC, w OHWI, output y NHWC. Taps outside x read zero. */

import type { Conv2dGeometry } from '../kernel.js';
import type { NumberArray, PortableThread } from './types.js';

export function conv2d(this: PortableThread<Conv2dGeometry>, x: NumberArray, w: NumberArray): number {
  const outChannel = this.thread.x % this.constants.outChannels;
  const position = Math.floor(this.thread.x / this.constants.outChannels);
  const column = position % this.constants.outWidth;
  const row = Math.floor(position / this.constants.outWidth) % this.constants.outHeight;
  const image = Math.floor(position / (this.constants.outWidth * this.constants.outHeight));
  let sum = 0;
  for (let r = 0; r < this.constants.kernelHeight; r++) {
    const inRow =
      row * this.constants.strideHeight - this.constants.padTop + r * this.constants.dilationHeight;
    for (let s = 0; s < this.constants.kernelWidth; s++) {
      const inColumn =
        column * this.constants.strideWidth - this.constants.padLeft + s * this.constants.dilationWidth;
      if (
        inRow >= 0 &&
        inRow < this.constants.inHeight &&
        inColumn >= 0 &&
        inColumn < this.constants.inWidth
      ) {
        const xBase =
          ((image * this.constants.inHeight + inRow) * this.constants.inWidth + inColumn) *
          this.constants.inChannels;
        const wBase =
          ((outChannel * this.constants.kernelHeight + r) * this.constants.kernelWidth + s) *
          this.constants.inChannels;
        for (let c = 0; c < this.constants.inChannels; c++) {
          sum += x[xBase + c] * w[wBase + c];
        }
      }
    }
  }
  return sum;
}
