/** The tag of WGSL in template literals, and the small pieces of text that every program needs. */

import type { DType } from '../dtype.js';

/** What may stand in a template: text, lines, or a number, written as WGSL writes an abstract number. */
type Piece = string | number | readonly string[];

/**
 * WGSL as a person would lay it out: the common indentation is taken away, and a piece of several lines keeps the
 * indentation of the place where it stands.
 */
export function wgsl(strings: TemplateStringsArray, ...pieces: readonly Piece[]): string {
  let text = strings[0];
  pieces.forEach((piece, i) => {
    const indentation = /[^\S\n]*$/.exec(text.slice(text.lastIndexOf('\n') + 1))?.[0] ?? '';
    const lines =
      typeof piece === 'number'
        ? [`${piece}`]
        : typeof piece === 'string'
          ? piece.split('\n')
          : piece.join('\n').split('\n');
    text += lines.join(`\n${indentation}`) + strings[i + 1];
  });
  const lines = text.split('\n');
  const depths = lines
    .filter((line) => line.trim() !== '')
    .map((line) => line.length - line.trimStart().length);
  const common = Math.min(...depths, 1000);
  return `${lines
    .map((line) => line.slice(common).trimEnd())
    .join('\n')
    .trim()}\n`;
}

/** The WGSL type of one element in a register. bool is 0 or 1 in a u32, float16 is computed with as f32. */
export const scalarType = {
  float32: 'f32',
  int32: 'i32',
  uint32: 'u32',
  bool: 'u32',
  float16: 'f32',
} as const satisfies Record<DType, string>;

/** Elements of a value in a register: one, or the four of a vec4. */
export type Width = 1 | 4;

/** The WGSL type of one element or a vector of four. */
export function wgslType(dtype: DType, width: Width): string {
  return width === 1 ? scalarType[dtype] : `vec4<${scalarType[dtype]}>`;
}
