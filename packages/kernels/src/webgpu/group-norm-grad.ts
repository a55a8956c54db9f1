/**
 * Gradient of groupNorm. With xhat = (x - mean) * rstd, z = xhat * scale + shift and dz the gradient at z, computed again from x where
 * SiLU follows:
 *   dScale = sum dz * xhat,  dShift = sum dz  over batch and positions
 *   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  g = dz * scale, means over the group
 * First the sums of each chunk and channel, then the means by group and the sums of all chunks, then dx.
 */

import type { GroupNormGradKernel } from '../kernel.js';
import { columnSums } from './column-sums.js';
import { type ColumnWalk, columnWalk } from './column-walk.js';
import { ofColumn } from './group-norm.js';
import { groupWalk } from './group-walk.js';
import { laneSums } from './lane-sums.js';
import type { BufferUse, Dispatch, Program } from './program.js';
import type { Target } from './target.js';
import { elementSum, sigmoidFunction, vectorWidth } from './vectors.js';
import { wgsl, wgslType } from './wgsl.js';

export function groupNormGradProgram(kernel: GroupNormGradKernel, target: Target): Program {
  const { batch, positions, channels, groups } = kernel;
  const walk = columnWalk(batch, positions, channels / vectorWidth(channels), target);
  return {
    scratch: [2 * batch * walk.chunks * channels, 2 * batch * groups],
    dispatches: [
      chunkSums(kernel, walk),
      groupMeans(kernel, walk, target),
      columnSums('groupNormGrad parameters', batch * walk.chunks, channels, target),
      inputGradient(kernel, target),
    ],
  };
}

/** For each chunk and channel the sums of dz * xhat and of dz: [chunks of all images, 2, channels]. */
function chunkSums(kernel: GroupNormGradKernel, walk: ColumnWalk): Dispatch {
  const { channels, silu } = kernel;
  const width = vectorWidth(channels);
  const type = wgslType('float32', width);
  const sums = laneSums(['products', 'sum'], type, walk.lanes, walk.places);
  return {
    label: 'groupNormGrad chunks',
    buffers: [
      ...operandBuffers(kernel).filter(({ name }) => silu || (name !== 'scale' && name !== 'shift')),
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      ${sums.declarations}${silu ? sigmoidFunction(width) : ''}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        let mean = ${ofColumn('load_mean', kernel)};
        let rstd = ${ofColumn('load_rstd', kernel)};
        ${silu ? ['let scale = load_scale(column);', 'let shift = load_shift(column);'] : []}

        ${walk.sums(type, gradientLines(kernel), { products: 'dz * xhat', sum: 'dz' })}
        ${sums.lines}

        if (lane == 0u && isInside) {
          store_parts(2u * chunk * COLUMNS + column, total_products);
          store_parts((2u * chunk + 1u) * COLUMNS + column, total_sum);
        }
      }
    `,
  };
}

/** The means over each group of g * xhat and of g: [batch, groups, 2]. */
function groupMeans(
  { batch, positions, channels, groups }: GroupNormGradKernel,
  { chunks }: ColumnWalk,
  target: Target,
): Dispatch {
  const width = vectorWidth(channels / groups);
  const type = wgslType('float32', width);
  const columns = channels / groups / width;
  const walk = groupWalk(batch * groups, chunks, columns, target);
  const sums = laneSums(['products', 'sum'], 'f32', walk.lanes);
  return {
    label: 'groupNormGrad groups',
    buffers: [
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'read' },
      { name: 'scale', place: { input: 2 }, dtype: 'float32', width, access: 'read' },
      { name: 'means', place: { scratch: 1 }, dtype: 'float32', width: 1, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const ROW = ${(2 * channels) / width}u;
      const ELEMENTS = f32(${(positions * channels) / groups});
      ${sums.declarations}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        let firstColumn = (index % ${groups}u) * ${columns}u;
        let base = (index / ${groups}u) * ${chunks}u * ROW + firstColumn;

        ${walk.sums(
          type,
          ['let at = base + row * ROW + column;', 'let scale = load_scale(firstColumn + column);'],
          { productParts: 'scale * load_parts(at)', sumParts: 'scale * load_parts(at + ROW / 2u)' },
        )}
        var products = ${elementSum(width, 'productParts')};
        var sum = ${elementSum(width, 'sumParts')};
        ${sums.lines}

        if (lane == 0u) {
          store_means(2u * index, total_products / ELEMENTS);
          store_means(2u * index + 1u, total_sum / ELEMENTS);
        }
      }
    `,
  };
}

function inputGradient(kernel: GroupNormGradKernel, target: Target): Dispatch {
  const { batch, positions, channels, silu } = kernel;
  const width = vectorWidth(channels);
  const walk = columnWalk(batch, positions, channels / width, target, { apart: true });
  return {
    label: 'groupNormGrad apply',
    buffers: [
      ...operandBuffers(kernel).filter(({ name }) => silu || name !== 'shift'),
      { name: 'means', place: { scratch: 1 }, dtype: 'float32', width: 1, access: 'read' },
      { name: 'dx', place: { output: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      ${silu ? sigmoidFunction(width) : ''}
      fn load_mean_product(index: u32) -> f32 { return load_means(2u * index); }
      fn load_mean_gradient(index: u32) -> f32 { return load_means(2u * index + 1u); }

      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        if (!isInside) { return; }
        let mean = ${ofColumn('load_mean', kernel)};
        let rstd = ${ofColumn('load_rstd', kernel)};
        let scale = load_scale(column);
        ${silu ? 'let shift = load_shift(column);' : []}
        let meanProduct = ${ofColumn('load_mean_product', kernel)};
        let meanGradient = ${ofColumn('load_mean_gradient', kernel)};

        ${walk.each([
          ...gradientLines(kernel),
          'store_dx(at, rstd * (dz * scale - meanGradient - xhat * meanProduct));',
        ])}
      }
    `,
  };
}

function operandBuffers({ channels }: GroupNormGradKernel): BufferUse[] {
  const read = { dtype: 'float32', width: vectorWidth(channels), access: 'read' } as const;
  return [
    { name: 'dy', place: { input: 0 }, ...read },
    { name: 'x', place: { input: 1 }, ...read },
    { name: 'scale', place: { input: 2 }, ...read },
    { name: 'shift', place: { input: 3 }, ...read },
    { name: 'mean', place: { input: 4 }, dtype: 'float32', width: 1, access: 'read' },
    { name: 'rstd', place: { input: 5 }, dtype: 'float32', width: 1, access: 'read' },
  ];
}

/** Declare `xhat` and `dz` at the vector `at`; silu'(z) = s + z * s * (1 - s) with s = sigmoid(z). */
function gradientLines({ channels, silu }: GroupNormGradKernel): string[] {
  const xhat = 'let xhat = (load_x(at) - mean) * rstd;';
  if (!silu) return [xhat, 'let dz = load_dy(at);'];
  const one = `${wgslType('float32', vectorWidth(channels))}(1)`;
  return [
    xhat,
    'let z = xhat * scale + shift;',
    'let s = vector_sigmoid(z);',
    `let dz = load_dy(at) * (s + z * s * (${one} - s));`,
  ];
}
