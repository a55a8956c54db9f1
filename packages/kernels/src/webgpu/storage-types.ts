/**
 * float16 in programs. Programs are written as if all floats were stored as float32; here their buffers get the dtypes that the
 * kernel says, which only changes what `load_x` and `store_x` do.
 */

import { type Kernel, kernelOutputs } from '../kernel.js';
import type { InPlace } from '../kernel-map.js';
import type { ProgramWriter } from './host/programs.js';
import { type BufferUse, type Dispatch, linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { wgsl } from './wgsl.js';

/** The program that `write` writes, with float16 where the kernel's inputs and outputs are float16. */
export function typedProgram(
  write: ProgramWriter,
  kernel: Kernel,
  target: Target,
  inPlace: InPlace,
): Program {
  const program = write(kernel, target, inPlace);
  const outputs = kernelOutputs(kernel);
  if (![...kernel.inputs, ...outputs.map(({ dtype }) => dtype)].includes('float16')) return program;
  const isNarrow = program.dispatches.some(({ buffers }) =>
    buffers.some(({ access, width }) => access === 'update' && width === 1),
  );
  if (!isNarrow || target.nativeFloat16) return withStorageTypes(program, kernel, target);
  // What is stored element by element takes a way round, on which nothing is read and written at once.
  const others = inPlace.filter(([, output]) => outputs[output].dtype !== 'float16');
  return withStorageTypes(write(kernel, target, others), kernel, target);
}

function withStorageTypes(program: Program, kernel: Kernel, target: Target): Program {
  const outputs = kernelOutputs(kernel);
  const scratch = [...program.scratch];
  const packings: Dispatch[] = [];
  const typed = (use: BufferUse): BufferUse => {
    const { place } = use;
    if ('input' in place && kernel.inputs[place.input] === 'float16') return { ...use, dtype: 'float16' };
    if (!('output' in place) || outputs[place.output].dtype !== 'float16') return use;
    if (use.width === 4 || use.access === 'read' || target.nativeFloat16) return { ...use, dtype: 'float16' };
    // Two elements share a word, which two invocations must not write: they write float32, and pairs are made of that.
    const { elements } = outputs[place.output];
    const unpacked = { scratch: scratch.push(elements) - 1 };
    packings.push(packing(unpacked, place, elements, target));
    return { ...use, dtype: 'float32', place: unpacked };
  };
  const dispatches = program.dispatches.map((dispatch) => ({
    ...dispatch,
    buffers: dispatch.buffers.map(typed),
  }));
  return { dispatches: [...dispatches, ...packings], scratch };
}

const WORKGROUP = 64;

/** Two elements of float32 to one word of float16. */
function packing(
  from: BufferUse['place'],
  to: BufferUse['place'],
  elements: number,
  target: Target,
): Dispatch {
  const pairs = Math.ceil(elements / 2);
  const grid = linearGrid(Math.ceil(pairs / WORKGROUP), target);
  return {
    label: 'float16 pairs',
    buffers: [
      { name: 'unpacked', place: from, dtype: 'float32', width: 1, access: 'read' },
      { name: 'pairs', place: to, dtype: 'float16', width: 2, access: 'write' },
    ],
    workgroups: grid.workgroups,
    code: wgsl`
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let pair = ${grid.index} * ${WORKGROUP}u + local;
        if (pair >= ${pairs}u) { return; }
        let first = 2u * pair;
        let second = min(first + 1u, ${elements - 1}u);
        store_pairs(pair, vec2f(load_unpacked(first), load_unpacked(second)));
      }
    `,
  };
}
