/** How the benchmark talks to a contender's process: one JSON object a line, requests to its stdin, replies from its stdout. */

import type { ContenderDescription, Inputs } from './contender.js';
import type { HostTensor } from './host-tensor.js';
import type { Workload } from './workloads.js';

/** float32 numbers, little-endian, in base64. */
export interface EncodedTensor {
  readonly shape: readonly number[];
  readonly data: string;
}

export type Request =
  | { readonly command: 'describe' }
  | {
      readonly command: 'prepare';
      readonly workload: Workload;
      readonly inputs: Readonly<Record<string, EncodedTensor>>;
    }
  | { readonly command: 'outputs' }
  | { readonly command: 'run'; readonly repetitions: number }
  | { readonly command: 'release' };

export type Reply =
  | { readonly description: ContenderDescription }
  | { readonly outputs: readonly string[] }
  | { readonly milliseconds: readonly number[] }
  | { readonly done: true }
  /** Why the workload cannot be computed. */
  | { readonly unsupported: string }
  /** What went wrong. */
  | { readonly failed: string };

export function encodeInputs(inputs: Inputs): Record<string, EncodedTensor> {
  return Object.fromEntries(
    [...inputs].map(([name, { shape, data }]) => [name, { shape, data: encodeFloats(data) }]),
  );
}

export function decodeInputs(inputs: Readonly<Record<string, EncodedTensor>>): Inputs {
  return new Map(
    Object.entries(inputs).map(([name, { shape, data }]): [string, HostTensor] => [
      name,
      { shape, data: decodeFloats(data) },
    ]),
  );
}

export function encodeFloats({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

export function decodeFloats(text: string): Float32Array {
  // A copy of its own, for a Buffer's memory may begin at any byte.
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
