/**
 * Pointwise maps: one invocation per element, or per four where every input can be read as vectors. A map of more buffers than one
 * dispatch binds is several dispatches, each with some of the results.
 */

import { DmpoError } from '../errors.js';
import type { Expression } from '../expression.js';
import { kernelOutputs, type MapKernel } from '../kernel.js';
import type { InPlace } from '../kernel-map.js';
import { elementCount } from '../view.js';
import { expressionBuffers, expressionText, loadedInputs, loadsVectors, vectorInputs } from './expression.js';
import { withFunctions } from './functions.js';
import { type BufferUse, type Dispatch, linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { scalarType, type Width, wgsl, wgslType } from './wgsl.js';

/** Enough to fill the smallest GPU's schedulers, and few enough that little is idle at the end. */
const WORKGROUP = 64;

/** A map with the input, if any, whose buffer each result replaces. */
interface UpdatingMap {
  readonly kernel: MapKernel;
  readonly updates: ReadonlyMap<number, number>;
}

export function mapProgram(kernel: MapKernel, target: Target, inPlace: InPlace): Program {
  const map = withUpdates(kernel, inPlace);
  const dispatches = groupResults(map, target).map((results) => mapDispatch(map, results, target));
  return { scratch: [], dispatches };
}

function mapDispatch({ kernel, updates }: UpdatingMap, results: readonly number[], target: Target): Dispatch {
  const { shape, expression } = kernel;
  const positions = results.map((result) => expression.results[result]);
  const inputs = loadedInputs(expression, positions);
  const elements = elementCount(shape);
  const width: Width = elements % 4 === 0 && loadsVectors(expression, inputs, { shape }) ? 4 : 1;
  const vectors = width === 4 ? vectorInputs(expression, { shape }) : new Set<number>();
  const { lines, values } = expressionText(expression, positions, { shape, width, vectors });

  const invocations = elements / width;
  const groups = Math.ceil(invocations / WORKGROUP);
  const grid = linearGrid(groups, target);
  const [columns, rows] = grid.workgroups;
  const isExact = columns * rows * WORKGROUP === invocations;

  const nameOf = (result: number) => {
    const updated = updates.get(result);
    return updated === undefined ? `out${result}` : `e${updated}`;
  };
  const names = results.map(nameOf);
  const reads = expressionBuffers(kernel.inputs, inputs, vectors).map(
    (buffer): BufferUse => (names.includes(buffer.name) ? { ...buffer, access: 'update' } : buffer),
  );
  const specs = kernelOutputs(kernel);
  const writes = results
    .filter((result) => !reads.some(({ name }) => name === nameOf(result)))
    .map((result): BufferUse => {
      return {
        name: nameOf(result),
        place: { output: result },
        dtype: specs[result].dtype,
        width,
        access: 'write',
      };
    });
  // The buffer is declared with the type of the input that the result replaces.
  const stored = (result: number, value: string) => {
    const updated = updates.get(result);
    if (updated === undefined || scalarType[kernel.inputs[updated]] === scalarType[specs[result].dtype])
      return value;
    return `bitcast<${wgslType(kernel.inputs[updated], width)}>(${value})`;
  };
  return {
    label: 'map',
    buffers: [...reads, ...writes],
    scalars: kernel.scalars,
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let position = ${grid.index} * ${WORKGROUP}u + local;
        ${isExact ? [] : [`if (position >= ${invocations}u) { return; }`]}
        let flat = position * ${width}u;
        ${lines}
        ${values.map((value, i) => `store_${names[i]}(position, ${stored(results[i], value)});`)}
      }
    `),
  };
}

/** Several inputs may be the buffer of one result: they become one input, since a dispatch binds what it writes only once. */
function withUpdates(kernel: MapKernel, inPlace: InPlace): UpdatingMap {
  const updates = new Map<number, number>();
  const same = new Map<number, number>();
  for (const [input, output] of inPlace) {
    const first = updates.get(output);
    if (first === undefined) updates.set(output, input);
    else same.set(input, first);
  }
  if (same.size === 0) return { kernel, updates };
  const instructions = kernel.expression.instructions.map((one) =>
    one.op === 'load' ? { ...one, input: same.get(one.input) ?? one.input } : one,
  );
  const expression: Expression = { ...kernel.expression, instructions };
  return { kernel: { ...kernel, expression }, updates };
}

/**
 * The results of each dispatch. All updates are in the last one, so that no dispatch reads what another has replaced; other
 * results join it, or earlier ones, as long as there are bindings for their buffers.
 */
function groupResults({ kernel, updates }: UpdatingMap, target: Target): number[][] {
  const { expression } = kernel;
  const buffersOf = (results: readonly number[]) => {
    const inputs = loadedInputs(
      expression,
      results.map((result) => expression.results[result]),
    );
    const written = results.map((result) => updates.get(result));
    const replaced = written.filter((input) => input !== undefined);
    return new Set([...inputs, ...replaced]).size + written.length - replaced.length;
  };
  const last = [...updates.keys()];
  const groups = last.length > 0 ? [last] : [];
  expression.results.forEach((_, result) => {
    if (updates.has(result)) return;
    const home = groups.find((group) => buffersOf([...group, result]) <= target.storageBuffers);
    if (home === undefined) groups.push([result]);
    else home.push(result);
  });
  const most = Math.max(0, ...groups.map(buffersOf));
  if (most > target.storageBuffers) {
    throw new DmpoError(
      'INVALID_KERNEL',
      `A map needs ${most} buffers at once, and the GPU binds ${target.storageBuffers}.`,
      'Realize a part of the expression first.',
    );
  }
  return groups.reverse();
}
