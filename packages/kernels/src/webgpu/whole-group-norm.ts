/** The norm of whole groups in one dispatch, each by the lanes of a workgroup or by one invocation: LayerNorm, and small GroupNorms. */

import { groupWalk } from './group-walk.js';
import { laneSums } from './lane-sums.js';
import type { Dispatch } from './program.js';
import type { Target } from './target.js';
import { elementSum, sigmoidFunction, vectorWidth } from './vectors.js';
import { wgsl, wgslType } from './wgsl.js';

export interface WholeGroupSizes {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly silu: boolean;
}

/** Elements whose mean is the shift of a group's sums: then it is at most n / SAMPLES variances from the mean of n elements. */
const SAMPLES = 16;

/** Inputs [x, scale, shift], outputs [y, mean, rstd], as of groupNorm. */
export function wholeGroupNorm(
  label: string,
  { batch, positions, channels, groups, epsilon, silu }: WholeGroupSizes,
  target: Target,
): Dispatch {
  const ofGroup = channels / groups;
  const width = vectorWidth(ofGroup);
  const type = wgslType('float32', width);
  const columns = ofGroup / width;
  const walk = groupWalk(batch * groups, positions, columns, target);
  const sums = laneSums(['sum', 'squares'], 'f32', walk.lanes);
  const samples = Math.min(SAMPLES / width, columns);
  const read = { dtype: 'float32', width, access: 'read' } as const;
  return {
    label,
    buffers: [
      { name: 'x', place: { input: 0 }, ...read },
      { name: 'scale', place: { input: 1 }, ...read },
      { name: 'shift', place: { input: 2 }, ...read },
      { name: 'y', place: { output: 0 }, dtype: 'float32', width, access: 'write' },
      { name: 'mean', place: { output: 1 }, dtype: 'float32', width: 1, access: 'write' },
      { name: 'rstd', place: { output: 2 }, dtype: 'float32', width: 1, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      const ELEMENTS = f32(${positions * ofGroup});
      ${sums.declarations}${silu ? sigmoidFunction(width) : ''}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        let firstColumn = (index % ${groups}u) * ${columns}u;
        let base = (index / ${groups}u) * ${positions}u * COLUMNS + firstColumn;

        // A shift near the mean: what remains of x can be squared and summed without cancellation.
        let one = load_x(base)${width === 1 ? '' : '.x'};
        var excess = ${type}(0);
        for (var sample = 0u; sample < ${samples}u; sample++) { excess += load_x(base + sample) - one; }
        let near = one + ${elementSum(width, 'excess')} / ${samples * width};

        ${walk.sums(type, ['let rest = load_x(base + row * COLUMNS + column) - near;'], {
          rests: 'rest',
          products: 'rest * rest',
        })}
        var sum = ${elementSum(width, 'rests')};
        var squares = ${elementSum(width, 'products')};
        ${sums.lines}

        let beyond = total_sum / ELEMENTS;
        let rstd = inverseSqrt((total_squares - total_sum * beyond) / ELEMENTS + ${epsilon});
        if (lane == 0u) {
          store_mean(index, near + beyond);
          store_rstd(index, rstd);
        }

        ${walk.each([
          'let at = base + row * COLUMNS + column;',
          'let factor = rstd * load_scale(firstColumn + column);',
          'let z = ((load_x(at) - near) - beyond) * factor + load_shift(firstColumn + column);',
          `store_y(at, ${silu ? 'z * vector_sigmoid(z)' : 'z'});`,
        ])}
      }
    `,
  };
}
