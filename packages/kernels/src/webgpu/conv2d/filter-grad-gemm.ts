/** The filter gradient as an implicit GEMM: [outChannels, taps x inChannels], output rows outside, output columns inside. */

import type { Conv2dGeometry } from '../../kernel.js';
import type { EpilogueCode } from '../epilogue.js';
import type { Gemm } from '../gemm/gemm.js';
import type { Operand } from '../gemm/operand.js';
import type { Place } from '../program.js';
import { wgsl } from '../wgsl.js';

/** Inputs are [x, dy]. */
export function filterGradGemm(g: Conv2dGeometry, epilogue: EpilogueCode): Gemm {
  return {
    label: 'conv2d filter gradient',
    batch: 1,
    rows: g.outChannels,
    columns: g.kernelHeight * g.kernelWidth * g.inChannels,
    outer: g.batch * g.outHeight,
    inner: g.outWidth,
    a: outputChannels('dy', { input: 1 }, g),
    b: tapPixels('x', { input: 0 }, g),
    epilogue,
    output: { output: 0 },
  };
}

/** Its row is an output channel; outer walks the rows of all images, one behind the other in memory. */
function outputChannels(name: string, place: Place, g: Conv2dGeometry): Operand {
  const width = g.outChannels % 4 === 0 ? 4 : 1;
  const pixel = g.outChannels / width;
  const code = wgsl`
    fn ${name}_row(batch: u32, row: u32) -> u32 {
      return row / ${width}u;
    }

    fn ${name}_outer(state: u32, outer: u32) -> u32 {
      return state + outer * ${g.outWidth * pixel}u;
    }

    fn ${name}_load(base: u32, step: u32) -> ${width === 4 ? 'vec4f' : 'f32'} {
      return load_${name}(base + step * ${pixel}u);
    }
  `;
  return {
    name,
    along: 'row',
    width,
    code,
    buffers: [{ name, place, dtype: 'float32', width, access: 'read' }],
  };
}

/** Its row is a tap and an input channel: of each output pixel, the input pixel that the tap finds for it. */
function tapPixels(name: string, place: Place, g: Conv2dGeometry): Operand {
  const width = g.inChannels % 4 === 0 ? 4 : 1;
  const pixel = g.inChannels / width;
  const code = wgsl`
    struct ${name}State {
      row: i32,
      column: i32,
      channel: u32,
    }

    struct ${name}Base {
      column: i32,
      columns: u32,
      first: u32,
    }

    fn ${name}_row(batch: u32, row: u32) -> ${name}State {
      let r = row / ${g.kernelWidth * g.inChannels}u;
      let s = row / ${g.inChannels}u % ${g.kernelWidth}u;
      return ${name}State(
        i32(r * ${g.dilationHeight}u) - (${g.padTop}),
        i32(s * ${g.dilationWidth}u) - (${g.padLeft}),
        row % ${g.inChannels}u / ${width}u,
      );
    }

    fn ${name}_outer(state: ${name}State, outer: u32) -> ${name}Base {
      let row = i32(outer % ${g.outHeight}u * ${g.strideHeight}u) + state.row;
      let is_inside = row >= 0 && row < ${g.inHeight};
      let image = outer / ${g.outHeight}u * ${g.inHeight}u;
      let first = (image + u32(row)) * ${g.inWidth * pixel}u + state.channel;
      return ${name}Base(state.column, select(0u, ${g.inWidth}u, is_inside), first);
    }

    fn ${name}_load(base: ${name}Base, step: u32) -> ${width === 4 ? 'vec4f' : 'f32'} {
      let column = u32(base.column + i32(step * ${g.strideWidth}u));
      let is_inside = column < base.columns;
      let value = load_${name}(select(0u, base.first + column * ${pixel}u, is_inside));
      return select(${width === 4 ? 'vec4f()' : '0.0'}, value, is_inside);
    }
  `;
  return {
    name,
    along: 'row',
    width,
    code,
    buffers: [{ name, place, dtype: 'float32', width, access: 'read' }],
  };
}
