/** Sums of columns whose parts lie in scratch memory: gradients of what scales and shifts channels. */

import { columnWalk } from './column-walk.js';
import { laneSums } from './lane-sums.js';
import type { Dispatch } from './program.js';
import type { Target } from './target.js';
import { vectorWidth } from './vectors.js';
import { wgsl, wgslType } from './wgsl.js';

/** Parts [rows, 2, channels] in scratch buffer 0 to their sums [channels]: the first in output 1, the second in output 2. */
export function columnSums(label: string, rows: number, channels: number, target: Target): Dispatch {
  const width = vectorWidth(channels);
  const type = wgslType('float32', width);
  const columns = channels / width;
  const walk = columnWalk(1, rows, columns, target, { whole: true });
  const sums = laneSums(['first', 'second'], type, walk.lanes, walk.places);
  return {
    label,
    buffers: [
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'read' },
      { name: 'firsts', place: { output: 1 }, dtype: 'float32', width, access: 'write' },
      { name: 'seconds', place: { output: 2 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      ${sums.declarations}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}

        ${walk.sums(type, [`let part = base + 2u * position * ${columns}u;`], {
          first: 'load_parts(part)',
          second: `load_parts(part + ${columns}u)`,
        })}
        ${sums.lines}

        if (lane == 0u && isInside) {
          store_firsts(column, total_first);
          store_seconds(column, total_second);
        }
      }
    `,
  };
}
