/**
 * Adjoint of gather in the table, without atomics: the positions of each index are linked in ascending order, then the first of each
 * index adds its list. All other rows of the result are zero.
 */

import type { GatherGradKernel } from '../kernel.js';
import { type BufferUse, type Dispatch, linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { type Width, wgsl, wgslType } from './wgsl.js';

const WORKGROUP = 64;

const indices: BufferUse = {
  name: 'indices',
  place: { input: 1 },
  dtype: 'int32',
  width: 1,
  access: 'read',
};
/** Of each position: the next one with the same index, `count` if there is none. */
const next: BufferUse = { name: 'next', place: { scratch: 0 }, dtype: 'uint32', width: 1, access: 'read' };
/** Of each position: 1 if no earlier one has the same index. */
const isFirst: BufferUse = {
  name: 'is_first',
  place: { scratch: 1 },
  dtype: 'uint32',
  width: 1,
  access: 'read',
};

export function gatherGradProgram(kernel: GatherGradKernel, target: Target): Program {
  const { count } = kernel;
  return {
    scratch: [count, count],
    dispatches: [zeroDispatch(kernel, target), linkDispatch(kernel, target), sumDispatch(kernel, target)],
  };
}

function zeroDispatch({ rows, columns }: GatherGradKernel, target: Target): Dispatch {
  const width = (rows * columns) % 4 === 0 ? 4 : 1;
  const positions = (rows * columns) / width;
  const grid = linearGrid(Math.ceil(positions / WORKGROUP), target);
  return {
    label: 'gatherGrad zero',
    buffers: [output(width)],
    workgroups: grid.workgroups,
    code: wgsl`
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let position = ${grid.index} * ${WORKGROUP}u + local;
        if (position < ${positions}u) { store_y(position, ${wgslType('float32', width)}()); }
      }
    `,
  };
}

function linkDispatch({ count }: GatherGradKernel, target: Target): Dispatch {
  const grid = linearGrid(Math.ceil(count / WORKGROUP), target);
  return {
    label: 'gatherGrad link',
    buffers: [indices, { ...next, access: 'write' }, { ...isFirst, access: 'write' }],
    workgroups: grid.workgroups,
    code: wgsl`
      const COUNT = ${count}u;

      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let position = ${grid.index} * ${WORKGROUP}u + local;
        if (position >= COUNT) { return; }
        let index = load_indices(position);

        var later = position + 1u;
        while (later < COUNT) {
          if (load_indices(later) == index) { break; }
          later++;
        }
        var earlier = 0u;
        while (earlier < position) {
          if (load_indices(earlier) == index) { break; }
          earlier++;
        }
        store_next(position, later);
        store_is_first(position, u32(earlier == position));
      }
    `,
  };
}

function sumDispatch({ rows, columns, count }: GatherGradKernel, target: Target): Dispatch {
  const width = columns % 4 === 0 ? 4 : 1;
  const positions = (count * columns) / width;
  const grid = linearGrid(Math.ceil(positions / WORKGROUP), target);
  return {
    label: `gatherGrad ${count} into ${rows}x${columns}`,
    buffers: [
      { name: 'dy', place: { input: 0 }, dtype: 'float32', width, access: 'read' },
      indices,
      next,
      isFirst,
      output(width),
    ],
    workgroups: grid.workgroups,
    code: wgsl`
      const ROWS = ${rows};
      const COLUMNS = ${columns / width}u;
      const COUNT = ${count}u;

      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let position = ${grid.index} * ${WORKGROUP}u + local;
        let first = position / COLUMNS;
        let column = position % COLUMNS;
        if (first >= COUNT) { return; }
        let row = load_indices(first);
        if (load_is_first(first) == 0u || row < 0 || row >= ROWS) { return; }

        var sum = ${wgslType('float32', width)}();
        for (var i = first; i < COUNT; i = load_next(i)) {
          sum += load_dy(i * COLUMNS + column);
        }
        store_y(u32(row) * COLUMNS + column, sum);
      }
    `,
  };
}

function output(width: Width): BufferUse {
  return { name: 'y', place: { output: 0 }, dtype: 'float32', width, access: 'write' };
}
