/** Kernels that are compiled and in memory. */

import { checkKernel, refuseFloat16 } from '../check-kernel.js';
import { type Kernel, kernelInputElements, kernelOutputs } from '../kernel.js';
import { type InPlace, KernelMap } from '../kernel-map.js';
import { compileKernel } from './kernels.js';
import type { DeviceMemory } from './memory.js';
import type { ThreadTeam } from './thread-team.js';

export interface LoadedKernel {
  readonly opcode: number;
  /** Where its words are; undefined if there is nothing to compute. */
  readonly address?: number;
  readonly scratchBytes: number;
  readonly threadBytes: number;
  /** Words of a command. */
  readonly scalarsAt: number;
  readonly commandWords: number;
  /** What each buffer of a command must have at least. */
  readonly inputElements: readonly number[];
  readonly outputElements: readonly number[];
}

/** As assembly/command.ts says. */
const KERNEL_HEADER_WORDS = 2;
export const COMMAND_HEADER_WORDS = 4;
export const VECTOR_WORDS = 4;

export class KernelCache {
  readonly #memory: DeviceMemory;
  readonly #team: ThreadTeam;
  readonly #kernels = new KernelMap((kernel, inPlace) => this.#compile(kernel, inPlace));

  constructor(memory: DeviceMemory, team: ThreadTeam) {
    this.#memory = memory;
    this.#team = team;
  }

  /** The kernel as it runs on buffers of which those of `inPlace` are the same. */
  load(kernel: Kernel, inPlace: InPlace): LoadedKernel {
    return this.#kernels.get(kernel, inPlace);
  }

  /** Forgets all kernels and gives their memory back. */
  clear(): void {
    for (const { address } of this.#kernels.values()) if (address !== undefined) this.#memory.free(address);
    this.#kernels.clear();
  }

  #compile(kernel: Kernel, inPlace: InPlace): LoadedKernel {
    checkKernel(kernel);
    refuseFloat16(kernel, 'cpu');
    const outputElements = kernelOutputs(kernel).map(({ elements }) => elements);
    const pointers = kernel.inputs.length + outputElements.length;
    const scalarsAt = roundUp(COMMAND_HEADER_WORDS + pointers, VECTOR_WORDS);
    const buffers = {
      scalarsAt,
      commandWords: scalarsAt + VECTOR_WORDS * kernel.scalars.length,
      inputElements: kernelInputElements(kernel),
      outputElements,
    };
    const code = compileKernel(kernel, inPlace);
    if (code === undefined) return { opcode: 0, scratchBytes: 0, threadBytes: 0, ...buffers };

    const { opcode, sizes, program, threadBytes } = code;
    const programAt = roundUp(KERNEL_HEADER_WORDS + sizes.length, VECTOR_WORDS);
    const address = this.#memory.allocate(4 * (programAt + (program?.words.length ?? 0)));
    const { words } = this.#memory;
    const outputsByte = 4 * (COMMAND_HEADER_WORDS + kernel.inputs.length);
    words.set([program ? address + 4 * programAt : 0, outputsByte, ...sizes], address / 4);
    if (program !== undefined) words.set(program.words, address / 4 + programAt);
    const scratchBytes =
      code.scratchBytes ?? this.#team.scratchBytes(opcode, address + 4 * KERNEL_HEADER_WORDS);
    return { opcode, address, scratchBytes, threadBytes, ...buffers };
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
