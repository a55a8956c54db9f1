/** Which of the two builds of the kernels an engine can run. */

import { DmpoError } from '../errors.js';

export interface KernelModule {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

/** Modules of one function that needs the feature: `v128.const; drop`, and `f32x4.relaxed_madd` of three constants. */
const HEADER = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10];
const VECTOR_CONSTANT = [0xfd, 12, ...new Array<number>(16).fill(0)];
const DROP_END = [0x1a, 0x0b];
const simdProbe = probe(VECTOR_CONSTANT);
const relaxedProbe = probe([...VECTOR_CONSTANT, ...VECTOR_CONSTANT, ...VECTOR_CONSTANT, 0xfd, 0x85, 0x02]);

/**
 * Compiles the relaxed build if it is wanted and the engine has relaxed SIMD, otherwise the plain one.
 * `enableRelaxedSimd` is called where the engine may have it behind a switch. Throws `DEVICE_UNAVAILABLE`.
 */
export async function compileKernels(
  wantsRelaxed: boolean,
  enableRelaxedSimd: () => void,
): Promise<KernelModule> {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(simdProbe)) {
    throw new DmpoError(
      'DEVICE_UNAVAILABLE',
      'The cpu device needs WebAssembly with SIMD, which this engine does not have.',
      'Use Node 20 or newer, or a browser of 2023 or later.',
    );
  }
  if (wantsRelaxed && !WebAssembly.validate(relaxedProbe)) enableRelaxedSimd();
  const relaxed = wantsRelaxed && WebAssembly.validate(relaxedProbe);
  const { wasmBase64 } = relaxed
    ? await import('./generated/relaxed.js')
    : await import('./generated/simd.js');
  return { module: await WebAssembly.compile(bytesOfBase64(wasmBase64)), relaxed };
}

function probe(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, ...DROP_END];
  return new Uint8Array([...HEADER, code.length + 2, 1, code.length, ...code]);
}

function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
