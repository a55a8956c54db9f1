/** A sum over taps as an implicit GEMM: pixels of the source times the filter, taps outside, source channels inside. */

import type { EpilogueCode } from '../epilogue.js';
import type { Gemm } from '../gemm/gemm.js';
import type { Operand } from '../gemm/operand.js';
import type { Place } from '../program.js';
import { wgsl } from '../wgsl.js';
import type { TapSum } from './taps.js';

/** How the filter, in memory [outChannels, taps, inChannels], meets the source: elements between neighbouring channels. */
export interface FilterStrides {
  readonly sourceChannel: number;
  readonly resultChannel: number;
  readonly tap: number;
}

/** The GEMM [pixels of a class, result channels] = source pixels * filter. Its batch are the classes. Inputs are [source, filter]. */
export function tapGemm(label: string, sum: TapSum, filter: FilterStrides, epilogue: EpilogueCode): Gemm {
  const { batch, rows, columns, classes, resultStep } = sum;
  const isContiguous = resultStep.row === 1 && resultStep.column === 1;
  return {
    label,
    batch: classes.length,
    rows: batch * rows * columns,
    columns: sum.result.channels,
    outer: sum.taps,
    inner: sum.source.channels,
    a: sourcePixels('x', { input: 0 }, sum),
    b: filterOperand('w', { input: 1 }, sum, filter),
    epilogue,
    output: { output: 0 },
    ...(isContiguous ? {} : { outputRow: resultRow(sum) }),
  };
}

/** Its row is a pixel of the result, its inner dimension the channels of the pixel that a tap finds for it. */
function sourcePixels(name: string, place: Place, sum: TapSum): Operand {
  const { height, width: imageWidth, channels } = sum.source;
  const width = channels % 4 === 0 ? 4 : 1;
  const taps = sum.classes.flatMap((one) => one.taps.map(({ row, column }) => `vec2i(${row}, ${column})`));
  const zero = width === 4 ? 'vec4f()' : '0.0';
  const code = wgsl`
    struct ${name}State {
      taps: u32,
      image: u32,
      pixel: vec2i,
    }

    struct ${name}Base {
      first: u32,
      is_inside: bool,
    }

    ${table(`${name}_tap`, 'vec2i', taps)}

    fn ${name}_row(batch: u32, row: u32) -> ${name}State {
      ${pixelOf(sum)}
      return ${name}State(
        batch * ${sum.taps}u,
        image * ${height * imageWidth}u,
        vec2i(vec2u(i, j) * vec2u(${sum.sourceStep.row}u, ${sum.sourceStep.column}u)),
      );
    }

    fn ${name}_outer(state: ${name}State, outer: u32) -> ${name}Base {
      let pixel = state.pixel + ${name}_tap(state.taps + outer);
      let is_inside = all((pixel >= vec2i()) & (pixel < vec2i(${height}, ${imageWidth})));
      let index = state.image + u32(pixel.x * ${imageWidth} + pixel.y);
      return ${name}Base(select(0u, index * ${channels / width}u, is_inside), is_inside);
    }

    fn ${name}_load(base: ${name}Base, step: u32) -> ${width === 4 ? 'vec4f' : 'f32'} {
      return select(${zero}, load_${name}(base.first + step), base.is_inside);
    }
  `;
  return {
    name,
    along: 'inner',
    width,
    code,
    buffers: [{ name, place, dtype: 'float32', width, access: 'read' }],
  };
}

/** Its row is a channel of the result. */
function filterOperand(name: string, place: Place, sum: TapSum, strides: FilterStrides): Operand {
  const along = strides.sourceChannel === 1 ? 'inner' : 'row';
  const width = (along === 'inner' ? sum.source.channels : sum.result.channels) % 4 === 0 ? 4 : 1;
  const taps = sum.classes.flatMap((one) =>
    one.taps.map(({ filter }) => `${(filter * strides.tap) / width}u`),
  );
  const code = wgsl`
    struct ${name}State {
      taps: u32,
      first: u32,
    }

    ${table(`${name}_tap`, 'u32', taps)}

    fn ${name}_row(batch: u32, row: u32) -> ${name}State {
      return ${name}State(batch * ${sum.taps}u, row * ${strides.resultChannel}u / ${width}u);
    }

    fn ${name}_outer(state: ${name}State, outer: u32) -> u32 {
      return state.first + ${name}_tap(state.taps + outer);
    }

    fn ${name}_load(base: u32, step: u32) -> ${width === 4 ? 'vec4f' : 'f32'} {
      return load_${name}(base + step * ${along === 'inner' ? 1 : strides.sourceChannel / width}u);
    }
  `;
  return { name, along, width, code, buffers: [{ name, place, dtype: 'float32', width, access: 'read' }] };
}

/** The first element of a pixel of the result. */
function resultRow(sum: TapSum): string {
  const { height, width, channels } = sum.result;
  const { row, column } = sum.resultStep;
  const firsts = sum.classes.map((one) => `vec2u(${one.row}, ${one.column})`);
  return wgsl`
    ${table('first_pixel', 'vec2u', firsts)}

    fn output_row(batch: u32, row: u32) -> u32 {
      ${pixelOf(sum)}
      let pixel = first_pixel(batch) + vec2u(i, j) * vec2u(${row}u, ${column}u);
      return ((image * ${height}u + pixel.x) * ${width}u + pixel.y) * ${channels}u;
    }
  `;
}

/** Declares the image, i and j of pixel `row` of a class. */
function pixelOf({ rows, columns }: TapSum): string[] {
  return [
    `let image = row / ${rows * columns}u;`,
    `let i = row / ${columns}u % ${rows}u;`,
    `let j = row % ${columns}u;`,
  ];
}

/** A function from an index to one of these constants. */
function table(name: string, type: string, values: readonly string[]): string {
  const content = values.length === 0 ? [`${type}()`] : values;
  return wgsl`
    const ${name}s = array<${type}, ${content.length}>(${content.join(', ')});

    fn ${name}(index: u32) -> ${type} {
      return ${name}s[index];
    }
  `;
}
