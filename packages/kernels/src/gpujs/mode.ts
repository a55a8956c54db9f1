/** How gpu.js computes on this machine, and what it cannot hold there. */

import type { GpuJsMode } from '../device.js';
import { DmpoError } from '../errors.js';
import type { GpuJs } from './library.js';

/** Fastest first. */
export const gpuJsModes = ['webgl2', 'headlessgl', 'webasm', 'cpu'] as const satisfies readonly GpuJsMode[];

/** The mode that was asked for, otherwise the fastest that works here. Throws `DEVICE_UNAVAILABLE` or `INVALID_OPTION`. */
export function chooseMode(library: GpuJs, wanted: GpuJsMode | undefined): GpuJsMode {
  const works = (mode: GpuJsMode) => reasonAgainst(library, mode) === undefined;
  if (wanted === undefined) return gpuJsModes.find(works) ?? 'cpu';
  if (!gpuJsModes.includes(wanted)) {
    throw new DmpoError(
      'INVALID_OPTION',
      `gpu.js has no mode '${wanted}'.`,
      `Modes are ${gpuJsModes.map((mode) => `'${mode}'`).join(', ')}; without the option the fastest is taken.`,
    );
  }
  const reason = reasonAgainst(library, wanted);
  if (reason === undefined) return wanted;
  const usable = gpuJsModes.filter(works).map((mode) => `'${mode}'`);
  throw new DmpoError(
    'DEVICE_UNAVAILABLE',
    `gpu.js cannot compute in mode '${wanted}' here: ${reason}.`,
    `Use ${usable.join(' or ')}, or leave gpujsMode out.`,
  );
}

function reasonAgainst({ GPU, WebGL2Kernel, HeadlessGLKernel }: GpuJs, mode: GpuJsMode): string | undefined {
  switch (mode) {
    case 'webgl2':
      if (!GPU.isWebGL2Supported) return 'there is no WebGL2';
      return WebGL2Kernel.features.isFloatRead ? undefined : 'its WebGL2 cannot read float32 textures';
    case 'headlessgl': {
      if (!GPU.isHeadlessGLSupported) return "the package 'gl' is not built";
      const { isFloatRead, isTextureFloat } = HeadlessGLKernel.features;
      return isFloatRead && isTextureFloat ? undefined : 'its OpenGL has no float32 textures';
    }
    case 'webasm':
      return GPU.isWebAssemblySupported ? undefined : 'there is no WebAssembly';
    case 'cpu':
      return undefined;
    default:
      return mode satisfies never;
  }
}

/** float32 counts elements no further without gaps. */
export const MOST_COUNTED = 2 ** 24;

/** The most elements that one array may have, and why not more. */
export interface ArrayLimit {
  readonly elements: number;
  readonly reason: string;
}

/** OpenGL alone has one: what others cannot count in float32 they compute in float64. */
export function arrayLimit(library: GpuJs, mode: GpuJsMode): ArrayLimit | undefined {
  switch (mode) {
    case 'webgl2':
      return openGlLimit(library.WebGL2Kernel.features.maxTextureSize);
    case 'headlessgl':
      return openGlLimit(library.HeadlessGLKernel.features.maxTextureSize);
    case 'webasm':
    case 'cpu':
      return undefined;
    default:
      return mode satisfies never;
  }
}

/** An array is a texture of one texel an element, found by a float32. */
function openGlLimit(side: number): ArrayLimit {
  if (side ** 2 < MOST_COUNTED)
    return { elements: side ** 2, reason: `textures have at most ${side} x ${side} texels` };
  return {
    elements: MOST_COUNTED,
    reason: `OpenGL counts elements in float32, which is exact up to ${MOST_COUNTED}`,
  };
}

/** Throws `BUFFER_TOO_LARGE`. */
export function checkLimit(limit: ArrayLimit | undefined, elements: number, what: string): void {
  if (limit === undefined || elements <= limit.elements) return;
  throw new DmpoError(
    'BUFFER_TOO_LARGE',
    `${what} of ${elements} elements is too large for gpu.js: ${limit.reason}.`,
    "Use smaller batches, the option gpujsMode: 'webasm', or the device 'cpu'.",
  );
}
