// The choice of a mode, and the limits of each, for machines that this one is not.
import { describe, expect, it } from 'vitest';
import type { GpuJsMode } from '../device.js';
import type { GpuJs } from './library.js';
import { arrayLimit, checkLimit, chooseMode } from './mode.js';

interface Machine {
  readonly webgl2?: boolean;
  readonly headlessgl?: boolean;
  readonly webasm?: boolean;
  readonly floatTextures?: boolean;
  readonly maxTextureSize?: number;
}

/** gpu.js as it would describe the machine. */
function libraryOn({ floatTextures = true, maxTextureSize = 16384, ...machine }: Machine): GpuJs {
  const features = { isFloatRead: floatTextures, isTextureFloat: floatTextures, maxTextureSize };
  const library = {
    GPU: {
      isWebGL2Supported: machine.webgl2 ?? false,
      isHeadlessGLSupported: machine.headlessgl ?? false,
      isWebAssemblySupported: machine.webasm ?? false,
    },
    WebGL2Kernel: { features },
    HeadlessGLKernel: { features },
    CPUKernel: class {},
  };
  return library as unknown as GpuJs;
}

describe('the mode of gpu.js', () => {
  it.each<[GpuJsMode, Machine]>([
    ['webgl2', { webgl2: true, headlessgl: true, webasm: true }],
    ['headlessgl', { headlessgl: true, webasm: true }],
    ['webasm', { webasm: true }],
    ['cpu', {}],
    ['webasm', { webgl2: true, webasm: true, floatTextures: false }],
    ['webasm', { headlessgl: true, webasm: true, floatTextures: false }],
  ])('is %s on a machine with %o', (mode, machine) => {
    expect(chooseMode(libraryOn(machine), undefined)).toBe(mode);
  });

  it('is the one that was asked for, where it works', () => {
    const library = libraryOn({ webgl2: true, webasm: true });
    for (const mode of ['webgl2', 'webasm', 'cpu'] as const) expect(chooseMode(library, mode)).toBe(mode);
  });

  it.each<[GpuJsMode, Machine, string]>([
    ['webgl2', { webasm: true }, 'there is no WebGL2'],
    ['webgl2', { webgl2: true, webasm: true, floatTextures: false }, 'float32 textures'],
    ['headlessgl', { webasm: true }, "the package 'gl'"],
    ['headlessgl', { headlessgl: true, webasm: true, floatTextures: false }, 'float32 textures'],
  ])('cannot be %s on a machine with %o', (mode, machine, reason) => {
    expect(() => chooseMode(libraryOn(machine), mode)).toThrow(
      expect.objectContaining({
        code: 'DEVICE_UNAVAILABLE',
        problem: expect.stringContaining(reason),
        fix: expect.stringContaining("'webasm' or 'cpu'"),
      }),
    );
  });

  it('is refused when there is none of the name, with the names there are', () => {
    expect(() => chooseMode(libraryOn({}), 'abacus' as GpuJsMode)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        fix: expect.stringContaining("'webgl2', 'headlessgl'"),
      }),
    );
  });
});

describe('arrays of gpu.js', () => {
  it.each<[GpuJsMode, number, number, string]>([
    ['webgl2', 16384, 2 ** 24, 'float32'],
    ['headlessgl', 4096, 2 ** 24, 'float32'],
    ['webgl2', 2048, 2 ** 22, '2048 x 2048'],
    ['headlessgl', 2048, 2 ** 22, '2048 x 2048'],
  ])('have a limit in mode %s with textures of %i', (mode, maxTextureSize, elements, reason) => {
    const limit = arrayLimit(libraryOn({ maxTextureSize }), mode);
    expect(() => checkLimit(limit, elements, 'A buffer')).not.toThrow();
    expect(() => checkLimit(limit, elements + 1, 'A buffer')).toThrow(
      expect.objectContaining({
        code: 'BUFFER_TOO_LARGE',
        problem: expect.stringMatching(new RegExp(`A buffer of ${elements + 1} elements .* ${reason}`)),
        fix: expect.stringContaining("'webasm'"),
      }),
    );
  });

  it.each(['webasm', 'cpu'] as const)('have none in mode %s', (mode) => {
    expect(() => checkLimit(arrayLimit(libraryOn({}), mode), 2 ** 31, 'A buffer')).not.toThrow();
  });
});
