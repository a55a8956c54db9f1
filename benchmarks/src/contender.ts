/** What a contender is: a library that prepares a workload, repeats it, and shows what it computed. */

import type { HostTensor } from './host-tensor.js';
import type { Workload } from './workloads.js';

export type Inputs = ReadonlyMap<string, HostTensor>;

export interface ContenderDescription {
  /** Name and version, such as "PyTorch 2.1.0". */
  readonly library: string;
  /** Instruction set, memory layout, BLAS: what a reader needs to judge the figures. */
  readonly details: string;
  readonly threads: number;
}

export interface Contender {
  readonly description: ContenderDescription;
  /**
   * Brings the inputs into the library's own memory and layout. Throws `Unsupported` if the library cannot compute the workload.
   * Layouts of the inputs: activations NHWC, filters OHWI, attention [batch, tokens, heads, headDim], weights of models as
   * diffusers stores them.
   */
  prepare(workload: Workload, inputs: Inputs): Promise<PreparedWorkload> | PreparedWorkload;
}

export interface PreparedWorkload {
  /** Computes the workload once, from resident inputs to resident outputs, and resolves when all of it is done. */
  run(): Promise<void> | void;
  /** Computes the workload and returns `outputNames(workload)` in the layouts of the inputs. Called once, before any `run`. */
  outputs(): Promise<Float32Array[]>;
  /** Frees what `prepare` made. */
  dispose?(): void;
}

/** The library has no way to compute a workload; the message says why. */
export class Unsupported extends Error {}

/** An input by name. */
export function input(inputs: Inputs, name: string): HostTensor {
  const tensor = inputs.get(name);
  if (!tensor) throw new Error(`The workload has no input "${name}".`);
  return tensor;
}
