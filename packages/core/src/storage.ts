/** Device memory with an owner: a realized tensor or a parameter. Freed by its owner, by garbage collection at the latest. */

import { bytesPerElement, type Device, type DeviceBuffer, type DType, elementCount } from '@dmpo/kernels';
import type { Shape } from './graph.js';

interface Holding {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
}

const forgotten = new FinalizationRegistry<Holding>(({ device, buffer }) => {
  try {
    device.free(buffer);
  } catch {
    // The device was closed or has failed: it holds no memory any more, and nobody is here to be told.
  }
});

export class Storage {
  readonly buffer: DeviceBuffer;
  /** Counts updates in place; a graph that read an earlier version must not be run any more. */
  version = 0;
  #freed = false;

  constructor(
    readonly device: Device,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {
    this.buffer = device.allocate(elementCount(shape) * bytesPerElement[dtype]);
    forgotten.register(this, { device, buffer: this.buffer }, this);
  }

  get freed(): boolean {
    return this.#freed;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    forgotten.unregister(this);
    this.device.free(this.buffer);
  }
}
