/** Writes an expression as lines of WGSL, one `let` per instruction. */

import type { DType } from '../dtype.js';
import type { Expression, Instruction } from '../expression.js';
import { type PointwiseOp, pointwiseTable } from '../pointwise.js';
import { contiguousStrides, isIdentityView, type View } from '../view.js';
import { scalarType } from './wgsl.js';

/**
 * Lines that declare `v<position>` for every instruction that the results at `positions` need. Input n is read by `load_e<n>`,
 * scalars from `scalars`, the accumulator from `accumulator`, and the place in the index space from the u32 `flat`.
 */
export function expressionLines(
  expression: Expression,
  positions: readonly number[],
  shape: readonly number[],
): string[] {
  const { instructions } = expression;
  const needed = new Set(positions);
  for (let position = instructions.length - 1; position >= 0; position--) {
    const instruction = instructions[position];
    if (needed.has(position) && 'args' in instruction) for (const arg of instruction.args) needed.add(arg);
  }
  const used = [...needed].sort((left, right) => left - right);
  const lines = used.flatMap((position) => instructionLines(instructions, position, shape));
  const coordinates = shape.map((_, d) => d).filter((d) => lines.some((line) => line.includes(`i${d}`)));
  return [...coordinateLines(shape, coordinates), ...lines];
}

/** Declares the coordinate `i<d>`, an i32, for each of these dimensions, from `flat`. */
function coordinateLines(shape: readonly number[], dimensions: readonly number[]): string[] {
  const strides = contiguousStrides(shape);
  return dimensions.map((d) => {
    const quotient = strides[d] === 1 ? 'flat' : `flat / ${strides[d]}u`;
    return `let i${d} = i32(${d === 0 ? quotient : `${quotient} % ${Math.max(shape[d], 1)}u`});`;
  });
}

function instructionLines(
  instructions: readonly Instruction[],
  position: number,
  shape: readonly number[],
): string[] {
  const instruction = instructions[position];
  const name = `v${position}`;
  switch (instruction.op) {
    case 'load':
      return loadLines(name, `load_e${instruction.input}`, instruction.dtype, instruction.view, shape);
    case 'scalar':
      return [`let ${name} = scalars.s${instruction.slot};`];
    case 'constant':
      return [`let ${name} = ${constantText(instruction.value, instruction.dtype)};`];
    case 'index':
      return [`let ${name} = ${affine(instruction.offset, instruction.strides)};`];
    case 'accumulator':
      return [`let ${name} = accumulator;`];
    default: {
      const { op, dtype, args } = instruction;
      const value = templateOf(op).replace(/\b[abc]\b/g, (letter) => `v${args['abc'.indexOf(letter)]}`);
      const isComparison = dtype === 'bool' && /^(lt|le|eq|ne)$/.test(op);
      return [`let ${name} = ${isComparison ? `u32(${value})` : value};`];
    }
  }
}

function templateOf(op: PointwiseOp): string {
  return pointwiseTable[op].wgsl;
}

function loadLines(name: string, load: string, dtype: DType, view: View, shape: readonly number[]): string[] {
  if (isIdentityView(view, shape)) return [`let ${name} = ${load}(flat);`];
  const value = `${load}(u32(${affine(view.offset, view.strides)}))`;
  if (view.valid === undefined) return [`let ${name} = ${value};`];
  const conditions = view.valid.map(([begin, end], d) => `i${d} >= ${begin} && i${d} < ${end}`);
  return [
    `var ${name} = ${scalarType[dtype]}(0);`,
    `if (${conditions.join(' && ')}) { ${name} = ${value}; }`,
  ];
}

function affine(offset: number, strides: readonly number[]): string {
  const terms = strides.flatMap((stride, d) =>
    stride === 0 ? [] : [stride === 1 ? `i${d}` : `i${d} * ${stride}`],
  );
  return [`${offset}i`, ...terms].join(' + ');
}

/** A constant of any dtype by its bits where WGSL has no literal for it. */
function constantText(value: number, dtype: DType): string {
  switch (dtype) {
    case 'float32': {
      const [bits] = new Uint32Array(Float32Array.of(value).buffer);
      return Number.isFinite(Math.fround(value)) && !Object.is(value, -0)
        ? `f32(${Math.fround(value)})`
        : `bitcast<f32>(${bits}u)`;
    }
    case 'int32':
      return `bitcast<i32>(${value >>> 0}u)`;
    case 'uint32':
      return `${value >>> 0}u`;
    case 'bool':
      return value !== 0 ? '1u' : '0u';
    default:
      return dtype satisfies never;
  }
}
