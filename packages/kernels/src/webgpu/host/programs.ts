/** Kernels as this device runs them: their programs, whose pipelines are compiled when they are first needed, or before. */

import { checkKernel } from '../../check-kernel.js';
import { bytesPerElement } from '../../dtype.js';
import { type Kernel, kernelBytes, kernelFlops, kernelInputElements, kernelOutputs } from '../../kernel.js';
import { type InPlace, KernelMap } from '../../kernel-map.js';
import { kernelTitle } from '../../kernel-title.js';
import type { Dispatch, Program } from '../program.js';
import { typedProgram } from '../storage-types.js';
import type { Target } from '../target.js';
import type { Pipeline, Pipelines } from './pipelines.js';
import type { Work } from './recorder.js';

/** Writes the program of a kernel. */
export type ProgramWriter = (kernel: Kernel, target: Target, inPlace: InPlace) => Program;

export interface LoadedProgram {
  readonly title: string;
  readonly dispatches: readonly LoadedDispatch[];
  /** Bytes of each scratch buffer. */
  readonly scratch: readonly number[];
  /** Work of each dispatch, taken to be alike. */
  readonly work: Work;
  /** What each buffer of a command must have at least. */
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
}

export interface LoadedDispatch extends Dispatch {
  pipeline: Pipeline | undefined;
}

export class Programs {
  readonly #pipelines: Pipelines;
  readonly #kernels: KernelMap<LoadedProgram>;

  constructor(pipelines: Pipelines, target: Target, write: ProgramWriter) {
    this.#pipelines = pipelines;
    this.#kernels = new KernelMap((kernel, inPlace) => {
      checkKernel(kernel);
      return load(kernel, typedProgram(write, kernel, target, inPlace));
    });
  }

  load(kernel: Kernel, inPlace: InPlace): LoadedProgram {
    return this.#kernels.get(kernel, inPlace);
  }

  /** What `load` has given before. */
  find(kernel: Kernel, inPlace: InPlace): LoadedProgram | undefined {
    return this.#kernels.find(kernel, inPlace);
  }

  /** Compiles all pipelines of the programs at once. `onReady` is called after each program. */
  async prepare(programs: readonly LoadedProgram[], onReady: () => void): Promise<void> {
    const prepareOne = async ({ title, dispatches }: LoadedProgram) => {
      const one = async (dispatch: LoadedDispatch) => {
        dispatch.pipeline ??= await this.#pipelines.prepare(dispatch, title);
      };
      await Promise.all(dispatches.map(one));
      onReady();
    };
    await Promise.all(programs.map(prepareOne));
  }
}

/** Whether a program can run. */
export function isCompiled({ dispatches }: LoadedProgram): boolean {
  return dispatches.every(({ pipeline }) => pipeline !== undefined);
}

function load(kernel: Kernel, { dispatches, scratch }: Program): LoadedProgram {
  const wanted = dispatches.filter(({ workgroups }) => workgroups.every((count) => count > 0));
  const share = Math.max(wanted.length, 1);
  return {
    title: kernelTitle(kernel),
    dispatches: wanted.map((dispatch) => ({ ...dispatch, pipeline: undefined })),
    scratch: scratch.map((elements) => 4 * elements),
    work: { flops: kernelFlops(kernel) / share, bytes: kernelBytes(kernel) / share },
    inputBytes: kernelInputElements(kernel).map(
      (elements, i) => elements * bytesPerElement[kernel.inputs[i]],
    ),
    outputBytes: kernelOutputs(kernel).map(({ elements, dtype }) => elements * bytesPerElement[dtype]),
  };
}
