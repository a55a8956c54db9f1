/**
 * Gradient of layerNorm on [rows, channels]. With xhat = (x - mean) * rstd and g = dy * scale:
 *   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), means over the row
 *   dScale = sum dy * xhat,  dShift = sum dy  over the rows
 */

import type { LayerNormGradKernel } from '../kernel.js';
import { columnSums } from './column-sums.js';
import { type ColumnWalk, columnWalk } from './column-walk.js';
import { groupWalk } from './group-walk.js';
import { laneSums } from './lane-sums.js';
import type { BufferUse, Dispatch, Program } from './program.js';
import type { Target } from './target.js';
import { elementSum, vectorWidth } from './vectors.js';
import { wgsl, wgslType } from './wgsl.js';

export function layerNormGradProgram(kernel: LayerNormGradKernel, target: Target): Program {
  const { rows, channels } = kernel;
  const walk = columnWalk(1, rows, channels / vectorWidth(channels), target);
  return {
    scratch: [2 * walk.chunks * channels],
    dispatches: [
      inputGradient(kernel, target),
      chunkSums(kernel, walk),
      columnSums('layerNormGrad parameters', walk.chunks, channels, target),
    ],
  };
}

function inputGradient(kernel: LayerNormGradKernel, target: Target): Dispatch {
  const { rows, channels } = kernel;
  const width = vectorWidth(channels);
  const type = wgslType('float32', width);
  const walk = groupWalk(rows, 1, channels / width, target);
  const sums = laneSums(['products', 'sum'], 'f32', walk.lanes);
  return {
    label: 'layerNormGrad rows',
    buffers: [
      ...operandBuffers(kernel),
      { name: 'scale', place: { input: 2 }, dtype: 'float32', width, access: 'read' },
      { name: 'dx', place: { output: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      const CHANNELS = f32(${channels});
      ${sums.declarations}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}
        let mean = load_mean(index);
        let rstd = load_rstd(index);

        ${walk.sums(
          type,
          ['let at = index * COLUMNS + column;', 'let g = load_dy(at) * load_scale(column);'],
          { productParts: 'g * ((load_x(at) - mean) * rstd)', sumParts: 'g' },
        )}
        var products = ${elementSum(width, 'productParts')};
        var sum = ${elementSum(width, 'sumParts')};
        ${sums.lines}
        let meanProduct = total_products / CHANNELS;
        let meanGradient = total_sum / CHANNELS;

        ${walk.each([
          'let at = index * COLUMNS + column;',
          'let g = load_dy(at) * load_scale(column);',
          'let xhat = (load_x(at) - mean) * rstd;',
          'store_dx(at, rstd * (g - meanGradient - xhat * meanProduct));',
        ])}
      }
    `,
  };
}

/** For each chunk of rows and channel the sums of dy * xhat and of dy: [chunks, 2, channels]. */
function chunkSums(kernel: LayerNormGradKernel, walk: ColumnWalk): Dispatch {
  const { channels } = kernel;
  const width = vectorWidth(channels);
  const type = wgslType('float32', width);
  const sums = laneSums(['products', 'sum'], type, walk.lanes, walk.places);
  return {
    label: 'layerNormGrad chunks',
    buffers: [
      ...operandBuffers(kernel),
      { name: 'parts', place: { scratch: 0 }, dtype: 'float32', width, access: 'write' },
    ],
    workgroups: walk.workgroups,
    code: wgsl`
      const COLUMNS = ${channels / width}u;
      ${sums.declarations}
      @compute @workgroup_size(${walk.workgroupSize})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        ${walk.locate}

        ${walk.sums(type, ['let row = start + position;', 'let dy = load_dy(at);'], {
          products: 'dy * ((load_x(at) - load_mean(row)) * load_rstd(row))',
          sum: 'dy',
        })}
        ${sums.lines}

        if (lane == 0u && isInside) {
          store_parts(2u * chunk * COLUMNS + column, total_products);
          store_parts((2u * chunk + 1u) * COLUMNS + column, total_sum);
        }
      }
    `,
  };
}

function operandBuffers({ channels }: LayerNormGradKernel): BufferUse[] {
  const read = { dtype: 'float32', width: vectorWidth(channels), access: 'read' } as const;
  return [
    { name: 'dy', place: { input: 0 }, ...read },
    { name: 'x', place: { input: 1 }, ...read },
    { name: 'mean', place: { input: 3 }, dtype: 'float32', width: 1, access: 'read' },
    { name: 'rstd', place: { input: 4 }, dtype: 'float32', width: 1, access: 'read' },
  ];
}
