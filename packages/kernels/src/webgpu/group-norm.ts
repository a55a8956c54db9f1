/**
 * groupNorm on [batch, positions, channels], with SiLU behind it if that is asked for: statistics of each chunk and channel,
 * their union by group, and the normalisation. Small groups do all of it at once.
 */

import type { GroupNormKernel } from '../kernel.js';
import { type ColumnWalk, columnWalk } from './column-walk.js';
import { groupWalk } from './group-walk.js';
import { laneSums } from './lane-sums.js';
import type { Dispatch, Program } from './program.js';
import type { AdapterClass, Target } from './target.js';
import { elementSum, sigmoidFunction, vectorWidth } from './vectors.js';
import { wgsl, wgslType } from './wgsl.js';
import { wholeGroupNorm } from './whole-group-norm.js';

/**
 * Elements of a group up to which one workgroup, or one invocation, normalises it alone: the group is then in its cache when it
 * is read again. There must be enough groups to fill the adapter. On SwiftShader
 * three dispatches were measured to be up to twice as fast for all but the smallest groups.
 */
const alone: Record<AdapterClass, { elements: number; groups: number }> = {
  discrete: { elements: 8192, groups: 128 },
  apple: { elements: 8192, groups: 64 },
  integrated: { elements: 8192, groups: 32 },
  software: { elements: 64, groups: 1 },
};

export function groupNormProgram(kernel: GroupNormKernel, target: Target): Program {
  const { batch, positions, channels, groups } = kernel;
  const { elements, groups: enough } = alone[target.adapterClass];
  if ((positions * channels) / groups <= elements && batch * groups >= enough) {
    return { scratch: [], dispatches: [wholeGroupNorm('groupNorm', kernel, target)] };
  }
  const walk = columnWalk(batch, positions, channels / vectorWidth(channels), target);
  return {
    scratch: [3 * batch * walk.chunks * channels, 2 * batch * groups],
    dispatches: [
      chunkStatistics(kernel, walk),
      groupStatistics(kernel, walk, target),
      normalisation(kernel, target),
    ],
  };
}

/**
 * For each chunk and channel an element of it, which is near enough to the mean that what remains of the others can be squared and
 * summed without cancellation; their sum, and the sum of their squares: [chunks of all images, 3, channels].
 */
function chunkStatistics({ channels }: GroupNormKernel, walk: ColumnWalk): Dispatch {
  const width = vectorWidth(channels);
  const type = wgslType('float32', width);
  const sums = laneSums(['sum', 'squares'], type, walk.lanes, walk.places);
  return {
    label: 'groupNorm chunks',
    buffers: [
      { name: 'x', place: { input: 0 }, dtype: 'float32', width, access: 'read' },
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      ${sums.declarations}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}

        let near = load_x(base);
        ${walk.sums(type, ['let rest = load_x(at) - near;'], { sum: 'rest', squares: 'rest * rest' })}
        ${sums.lines}

        if (lane == 0u && isInside) {
          let part = 3u * chunk * COLUMNS + column;
          store_parts(part, near);
          store_parts(part + COLUMNS, total_sum);
          store_parts(part + 2u * COLUMNS, total_squares);
        }
      }
    `,
  };
}

/**
 * Mean and 1 / sqrt(variance + epsilon) of each group from its parts (Chan, Golub & LeVeque, 1979): with n_i elements in part i, their
 * mean m_i and their squared deviations M_i from it, the mean m is sum n_i m_i / n, and the squared deviations are
 * sum M_i + n_i (m_i - m)^2. The mean is left in two numbers too, [batch, groups, 2]: where a group varies little, the mean
 * rounded to one float32 is too far from it.
 */
function groupStatistics(
  { batch, positions, channels, groups, epsilon }: GroupNormKernel,
  { chunks, length }: ColumnWalk,
  target: Target,
): Dispatch {
  const width = vectorWidth(channels / groups);
  const type = wgslType('float32', width);
  const columns = channels / groups / width;
  const walk = groupWalk(batch * groups, chunks, columns, target);
  const sum = laneSums(['sum'], 'f32', walk.lanes);
  const squares = laneSums(['squares'], 'f32', walk.lanes);
  return {
    label: 'groupNorm groups',
    buffers: [
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'read' },
      { name: 'mean', place: { output: 1 }, dtype: 'float32', width: 1, access: 'write' },
      { name: 'rstd', place: { output: 2 }, dtype: 'float32', width: 1, access: 'write' },
      { name: 'centre', place: { scratch: 1 }, dtype: 'float32', width: 1, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      const ELEMENTS = f32(${(positions * channels) / groups});
      ${sum.declarations}${squares.declarations}
      fn positions_of(chunk: u32) -> f32 {
        return f32(min(${length}u, ${positions}u - chunk * ${length}u));
      }

      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        let base = (index / ${groups}u) * ${3 * chunks}u * COLUMNS + (index % ${groups}u) * ${columns}u;

        // About the mean of the first part, from which that of all is not far.
        let near = (load_parts(base) + load_parts(base + COLUMNS) / positions_of(0u))${width === 1 ? '' : '.x'};
        ${walk.sums(type, ['let part = base + 3u * row * COLUMNS + column;'], {
          distances: 'positions_of(row) * (load_parts(part) - near) + load_parts(part + COLUMNS)',
        })}
        var sum = ${elementSum(width, 'distances')};
        ${sum.lines}
        let beyond = total_sum / ELEMENTS;

        ${walk.sums(
          type,
          [
            'let part = base + 3u * row * COLUMNS + column;',
            'let n = positions_of(row);',
            'let rest = load_parts(part + COLUMNS);',
            'let distance = (load_parts(part) - near) + rest / n - beyond;',
          ],
          { deviations: 'load_parts(part + 2u * COLUMNS) - rest * rest / n + n * distance * distance' },
        )}
        var squares = ${elementSum(width, 'deviations')};
        ${squares.lines}

        if (lane == 0u) {
          store_mean(index, near + beyond);
          store_rstd(index, inverseSqrt(total_squares / ELEMENTS + ${epsilon}));
          store_centre(2u * index, near);
          store_centre(2u * index + 1u, beyond);
        }
      }
    `,
  };
}

/** y = (x - mean) * rstd * scale + shift, and SiLU of it. */
function normalisation(kernel: GroupNormKernel, target: Target): Dispatch {
  const { batch, positions, channels, silu } = kernel;
  const width = vectorWidth(channels);
  const walk = columnWalk(batch, positions, channels / width, target, { apart: true });
  const read = { dtype: 'float32', width, access: 'read' } as const;
  return {
    label: 'groupNorm apply',
    buffers: [
      { name: 'x', place: { input: 0 }, ...read },
      { name: 'scale', place: { input: 1 }, ...read },
      { name: 'shift', place: { input: 2 }, ...read },
      { name: 'rstd', place: { output: 2 }, dtype: 'float32', width: 1, access: 'read' },
      { name: 'centre', place: { scratch: 1 }, dtype: 'float32', width: 1, access: 'read' },
      { name: 'y', place: { output: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      ${silu ? sigmoidFunction(width) : ''}
      fn load_near(index: u32) -> f32 { return load_centre(2u * index); }
      fn load_beyond(index: u32) -> f32 { return load_centre(2u * index + 1u); }

      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        if (!isInside) { return; }
        let near = ${ofColumn('load_near', kernel)};
        let beyond = ${ofColumn('load_beyond', kernel)};
        let factor = ${ofColumn('load_rstd', kernel)} * load_scale(column);
        let shift = load_shift(column);

        ${walk.each([
          'let z = ((load_x(at) - near) - beyond) * factor + shift;',
          `store_y(at, ${silu ? 'z * vector_sigmoid(z)' : 'z'});`,
        ])}
      }
    `,
  };
}

/** WGSL: the statistic of the group of each channel in `column` of `image`. */
export function ofColumn(
  load: string,
  { channels, groups }: { readonly channels: number; readonly groups: number },
): string {
  const width = vectorWidth(channels);
  const ofGroup = channels / groups;
  const statistic = (group: string) => `${load}(image * ${groups}u + ${group})`;
  if (ofGroup % width === 0) return statistic(`column / ${ofGroup / width}u`);
  const groupOf = (lane: number) => `(column * ${width}u + ${lane}u) / ${ofGroup}u`;
  return `vec4<f32>(${[0, 1, 2, 3].map((lane) => statistic(groupOf(lane))).join(', ')})`;
}
