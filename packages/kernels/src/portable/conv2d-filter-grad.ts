/** Adjoint of conv2d in w: x NHWC, dy NHWC, output dw OHWI. */

import type { Conv2dGeometry } from '../kernel.js';
import type { NumberArray, PortableThread } from './types.js';

export function conv2dFilterGrad(
  this: PortableThread<Conv2dGeometry>,
  x: NumberArray,
  dy: NumberArray,
): number {
  const inChannel = this.thread.x % this.constants.inChannels;
  const tap = Math.floor(this.thread.x / this.constants.inChannels);
  const s = tap % this.constants.kernelWidth;
  const r = Math.floor(tap / this.constants.kernelWidth) % this.constants.kernelHeight;
  const outChannel = Math.floor(tap / (this.constants.kernelWidth * this.constants.kernelHeight));
  let sum = 0;
  for (let image = 0; image < this.constants.batch; image++) {
    for (let row = 0; row < this.constants.outHeight; row++) {
      const inRow =
        row * this.constants.strideHeight - this.constants.padTop + r * this.constants.dilationHeight;
      if (inRow >= 0 && inRow < this.constants.inHeight) {
        const xBase = (image * this.constants.inHeight + inRow) * this.constants.inWidth;
        const dyBase = (image * this.constants.outHeight + row) * this.constants.outWidth;
        for (let column = 0; column < this.constants.outWidth; column++) {
          const inColumn =
            column * this.constants.strideWidth - this.constants.padLeft + s * this.constants.dilationWidth;
          if (inColumn >= 0 && inColumn < this.constants.inWidth) {
            sum +=
              x[(xBase + inColumn) * this.constants.inChannels + inChannel] *
              dy[(dyBase + column) * this.constants.outChannels + outChannel];
          }
        }
      }
    }
  }
  return sum;
}
