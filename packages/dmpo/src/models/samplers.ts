/** Convolutions that halve or double height and width between the levels of a UNet. */

import { nn, type Tensor } from '@dmpo/core';

/** Stride-2 convolution: [batch, height, width, channels] -> [batch, height / 2, width / 2, channels]. */
export class Downsample2D extends nn.Module {
  readonly conv: nn.Conv2d;

  /** @param padding zeros on every side; 0 stands for one row below and one column to the right, as in diffusers */
  constructor(channels: number, padding: 0 | 1, init: nn.InitializationOptions) {
    super();
    const sides = padding === 0 ? { top: 0, bottom: 1, left: 0, right: 1 } : padding;
    this.conv = new nn.Conv2d(channels, channels, 3, { stride: 2, padding: sides, ...init });
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** Nearest-neighbour doubling, then a convolution: [batch, height, width, channels] -> [batch, 2 height, 2 width, channels]. */
export class Upsample2D extends nn.Module {
  readonly conv: nn.Conv2d;

  constructor(channels: number, init: nn.InitializationOptions) {
    super();
    this.conv = new nn.Conv2d(channels, channels, 3, { padding: 1, ...init });
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(x.upsampleNearest(2));
  }
}
