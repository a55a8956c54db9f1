/** Writes an expression as lines of JavaScript in the subset that gpu.js transpiles. */

import type { DType } from '../dtype.js';
import type { Expression, Instruction } from '../expression.js';
import { roundFloat16 } from '../float16.js';
import { type PointwiseOp, pointwiseTable } from '../pointwise.js';
import { contiguousStrides, isIdentityView, type View } from '../view.js';
import { erf, sigmoid, softplus } from './math.js';
import { randomBits, randomNormal, randomUniform } from './random.js';

/** The functions that generated text may call by name. */
export const portableFunctions = {
  erf,
  sigmoid,
  softplus,
  roundFloat16,
  randomBits,
  randomUniform,
  randomNormal,
};

export interface ExpressionContext {
  readonly shape: readonly number[];
  /** JavaScript for the coordinate along each dimension. */
  readonly coordinates: readonly string[];
  /** JavaScript for the flat index over `shape`, where the coordinates come from one. */
  readonly flat?: string;
}

/** Lines that compute `v<result>` from `input<n>`, `scalars` and `accumulator`, skipping what the result does not need. */
export function expressionLines(
  expression: Expression,
  result: number,
  context: ExpressionContext,
): string[] {
  const { instructions } = expression;
  const needed = new Set([result]);
  for (let position = result; position >= 0; position--) {
    const instruction = instructions[position];
    if (needed.has(position) && 'args' in instruction) for (const arg of instruction.args) needed.add(arg);
  }
  return [...needed]
    .sort((left, right) => left - right)
    .flatMap((position) => instructionLines(instructions, position, context));
}

/** Declares `i<d>` for each size, from the flat row-major index `this.thread.x`. */
export function coordinateLines(shape: readonly number[], names: readonly string[]): string[] {
  const strides = contiguousStrides(shape);
  return shape.map(
    (size, d) => `const ${names[d]} = Math.floor(this.thread.x / ${strides[d]}) % ${Math.max(size, 1)};`,
  );
}

/** The value as the dtype stores it: integers modulo 2^32, bool as 0 or 1. */
export function wrapped(value: string, dtype: DType): string {
  switch (dtype) {
    case 'float32':
    case 'float16':
      return value;
    case 'int32':
      return `(${value}) | 0`;
    case 'uint32':
      return `(${value}) >>> 0`;
    case 'bool':
      return `(${value}) !== 0 ? 1 : 0`;
    default:
      return dtype satisfies never;
  }
}

function instructionLines(
  instructions: readonly Instruction[],
  position: number,
  context: ExpressionContext,
): string[] {
  const instruction = instructions[position];
  const name = `v${position}`;
  switch (instruction.op) {
    case 'load':
      return loadLines(name, `input${instruction.input}`, instruction.view, context);
    case 'scalar':
      return [`const ${name} = ${wrapped(`scalars[${instruction.slot}]`, instruction.dtype)};`];
    case 'constant':
      return [`const ${name} = ${wrapped(numberText(instruction.value), instruction.dtype)};`];
    case 'index':
      return [`const ${name} = ${affine(instruction.offset, instruction.strides, context)};`];
    case 'accumulator':
      return [`const ${name} = accumulator[this.thread.x];`];
    default: {
      const { op, dtype, args } = instruction;
      const template = templateOf(op, dtype, instructions[args[0]].dtype);
      const value = template.replace(/\b[abc]\b/g, (letter) => `v${args['abc'.indexOf(letter)]}`);
      return [`const ${name} = ${isComparison(op) ? `${value} ? 1 : 0` : wrapped(value, dtype)};`];
    }
  }
}

/** Comparisons give a truth value, all else gives numbers, which are no conditions in shaders. */
function isComparison(op: PointwiseOp): boolean {
  return op === 'lt' || op === 'le' || op === 'eq' || op === 'ne';
}

/** The table's template, or what float64 needs in its place to compute with 32-bit integers. */
function templateOf(op: PointwiseOp, dtype: DType, argument: DType): string {
  const isInteger = dtype === 'int32' || dtype === 'uint32';
  if (isInteger && op === 'mul') return 'Math.imul(a, b)';
  if (op === 'toInt32' && argument === 'float32') {
    return 'Math.min(Math.max(Math.trunc(a), -2147483648), 2147483647)';
  }
  if (op === 'toUint32' && argument === 'float32') return 'Math.min(Math.max(Math.trunc(a), 0), 4294967295)';
  return pointwiseTable[op].javascript;
}

function loadLines(name: string, input: string, view: View, context: ExpressionContext): string[] {
  if (context.flat !== undefined && isIdentityView(view, context.shape)) {
    return [`const ${name} = ${input}[${context.flat}];`];
  }
  const value = `${input}[${affine(view.offset, view.strides, context)}]`;
  if (view.valid === undefined) return [`const ${name} = ${value};`];
  const conditions = view.valid.map(
    ([begin, end], d) => `${context.coordinates[d]} >= ${begin} && ${context.coordinates[d]} < ${end}`,
  );
  return [`let ${name} = 0;`, `if (${conditions.join(' && ')}) {`, `  ${name} = ${value};`, '}'];
}

function affine(offset: number, strides: readonly number[], context: ExpressionContext): string {
  const terms = strides.flatMap((stride, d) =>
    stride === 0 ? [] : [`${context.coordinates[d]} * ${numberText(stride)}`],
  );
  return [numberText(offset), ...terms].join(' + ');
}

function numberText(value: number): string {
  return Object.is(value, -0) || value < 0 ? `(-${-value})` : `${value}`;
}
