/** Rows of a table by index. One invocation per element of the result, or per four. */

import type { GatherKernel } from '../kernel.js';
import { withFunctions } from './functions.js';
import { linearGrid, type Program } from './program.js';
import type { Target } from './target.js';
import { wgsl, wgslType } from './wgsl.js';

const WORKGROUP = 64;

export function gatherProgram({ rows, columns, count }: GatherKernel, target: Target): Program {
  const width = columns % 4 === 0 ? 4 : 1;
  const positions = (count * columns) / width;
  const grid = linearGrid(Math.ceil(positions / WORKGROUP), target);
  const type = wgslType('float32', width);
  return {
    scratch: [],
    dispatches: [
      {
        label: `gather ${count} of ${rows}x${columns}`,
        buffers: [
          { name: 'table', place: { input: 0 }, dtype: 'float32', width, access: 'read' },
          { name: 'indices', place: { input: 1 }, dtype: 'int32', width: 1, access: 'read' },
          { name: 'y', place: { output: 0 }, dtype: 'float32', width, access: 'write' },
        ],
        workgroups: grid.workgroups,
        code: withFunctions(wgsl`
          const ROWS = ${rows};
          const COLUMNS = ${columns / width}u;
          const POSITIONS = ${positions}u;

          @compute @workgroup_size(${WORKGROUP})
          fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
            let position = ${grid.index} * ${WORKGROUP}u + local;
            if (position >= POSITIONS) { return; }
            let row = load_indices(position / COLUMNS);
            var value = ${type}(dmpo_float(0x7fc00000u));
            if (row >= 0 && row < ROWS) {
              value = load_table(u32(row) * COLUMNS + position % COLUMNS);
            }
            store_y(position, value);
          }
        `),
      },
    ],
  };
}
