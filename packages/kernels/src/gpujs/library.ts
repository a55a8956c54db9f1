/** gpu.js, an optional package: its loading, and the one thing that the device changes about it. */

import type * as GpuJsModule from 'gpu.js';
import { DmpoError } from '../errors.js';

export type GpuJs = Pick<typeof GpuJsModule, 'GPU' | 'CPUKernel' | 'WebGL2Kernel' | 'HeadlessGLKernel'>;
export type Gpu = InstanceType<GpuJs['GPU']>;

/** Throws `DEVICE_UNAVAILABLE` if the package is not installed. */
export async function loadGpuJs(): Promise<GpuJs> {
  try {
    // Within `try` bundlers take the package as optional. Its build for browsers has a default export only.
    const library: GpuJs & { readonly default?: GpuJs } = await import('gpu.js');
    return library.default ?? library;
  } catch (cause) {
    throw new DmpoError(
      'DEVICE_UNAVAILABLE',
      "The 'gpujs' device needs the package gpu.js, which could not be loaded.",
      "Run `npm install gpu.js`, or use the device 'cpu', which needs no further package.",
      { cause },
    );
  }
}

/**
 * gpu.js computing in JavaScript, hence in float64, whose kernels also return float64. As they come, they round results to float32,
 * which cuts 32-bit integers to 24 bits and what one pass hands to the next to float32.
 */
export function createFloat64Gpu({ GPU, CPUKernel }: GpuJs): Gpu {
  const gpu = new GPU({ mode: 'cpu' });
  gpu.Kernel = class extends CPUKernel {
    /** Part of the text that gpu.js compiles. */
    _getKernelResultTypeConstructorString(): string {
      return 'Float64Array';
    }

    /** In a page each kernel would have one, to draw on. */
    initCanvas(): undefined {}
  };
  return gpu;
}
