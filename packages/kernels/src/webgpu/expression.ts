/** Writes an expression as lines of WGSL, one `let` per instruction, for one element at a time or for four in a row. */

import type { DType } from '../dtype.js';
import type { Expression, Instruction } from '../expression.js';
import { elementCount, type View } from '../view.js';
import { type Dimension, isWhole, mergeDimensions } from '../view-layout.js';
import { operationText } from './operations.js';
import type { BufferUse } from './program.js';
import { type Width, wgslType } from './wgsl.js';

/** How the shader walks the index space of an expression. */
export interface Walk {
  readonly shape: readonly number[];
  /**
   * u32 variables of the shader, each the row-major position in that many successive dimensions of the shape. By default one,
   * `flat`, over all dimensions.
   */
  readonly variables?: readonly Variable[];
  /** 4: the values of four elements, of which the last variable, a multiple of 4, names the first. */
  readonly width: Width;
  /** Inputs whose buffers hold vectors of four elements; see `vectorInputs`. */
  readonly vectors: ReadonlySet<number>;
}

export interface Variable {
  readonly name: string;
  readonly dimensions: number;
}

export interface ExpressionText {
  readonly lines: readonly string[];
  /** The value of each requested instruction, `width` elements of its dtype. */
  readonly values: readonly string[];
}

/**
 * The values of the instructions at `positions`. Input n is read by `load_e<n>`, scalars from `scalars`, the accumulator from
 * `accumulator`. Functions called `dmpo_...` are declared by `withFunctions`.
 */
export function expressionText(
  expression: Expression,
  positions: readonly number[],
  walk: Walk,
): ExpressionText {
  const writer = new Writer(expression.instructions, walk);
  for (const position of neededPositions(expression, positions)) writer.write(position);
  return { values: positions.map((position) => writer.value(position)), lines: writer.lines };
}

/** The inputs that the instructions at `positions` depend on, ascending. */
export function loadedInputs(expression: Expression, positions: readonly number[]): number[] {
  const needed = neededPositions(expression, positions).map((position) => expression.instructions[position]);
  const inputs = new Set(needed.flatMap((one) => (one.op === 'load' ? [one.input] : [])));
  return [...inputs].sort((left, right) => left - right);
}

/** The buffers `e<n>` of inputs that an expression loads, of which `vectors` hold vectors of four. */
export function expressionBuffers(
  dtypes: readonly DType[],
  inputs: readonly number[],
  vectors: ReadonlySet<number>,
): BufferUse[] {
  return inputs.map((input) => ({
    name: `e${input}`,
    place: { input },
    dtype: dtypes[input],
    width: vectors.has(input) ? 4 : 1,
    access: 'read',
  }));
}

/** Inputs of which every load reads four neighbours in memory for four neighbours of the last variable. */
export function vectorInputs(expression: Expression, walk: Omit<Walk, 'width' | 'vectors'>): Set<number> {
  const loads = expression.instructions.filter((one) => one.op === 'load');
  const scalar = loads.filter(({ view }) => loadShape(view, walk) !== 'vector').map(({ input }) => input);
  return new Set(loads.map(({ input }) => input).filter((input) => !scalar.includes(input)));
}

/** Whether no load of these inputs has to gather its four elements one by one. */
export function loadsVectors(
  expression: Expression,
  inputs: readonly number[],
  walk: Omit<Walk, 'width' | 'vectors'>,
): boolean {
  const vectors = vectorInputs(expression, walk);
  return expression.instructions.every(
    (one) =>
      one.op !== 'load' ||
      !inputs.includes(one.input) ||
      vectors.has(one.input) ||
      loadShape(one.view, walk) === 'same',
  );
}

/** The instructions at `positions` and all that they depend on, ascending. */
function neededPositions({ instructions }: Expression, positions: readonly number[]): number[] {
  const needed = new Set(positions);
  for (let position = instructions.length - 1; position >= 0; position--) {
    const instruction = instructions[position];
    if (needed.has(position) && 'args' in instruction) for (const arg of instruction.args) needed.add(arg);
  }
  return [...needed].sort((left, right) => left - right);
}

/** One coordinate's part of an address: the coordinate is `variable / divisor % size`. */
interface Term extends Dimension {
  readonly variable: string;
  readonly divisor: number;
  readonly isOutermost: boolean;
}

/** The coordinates that a view needs, outermost first; undefined if it reads nothing but padding. */
function viewTerms(view: View, { shape, variables }: Pick<Walk, 'shape' | 'variables'>): Term[] | undefined {
  const terms: Term[] = [];
  let first = 0;
  for (const { name, dimensions } of variables ?? [{ name: 'flat', dimensions: shape.length }]) {
    const end = first + dimensions;
    const { strides, valid } = view;
    const part = {
      offset: 0,
      strides: strides.slice(first, end),
      ...(valid && { valid: valid.slice(first, end) }),
    };
    const merged = mergeDimensions(part, shape.slice(first, end));
    if (merged === undefined) return undefined;
    let divisor = elementCount(merged.map(({ size }) => size));
    merged.forEach((dimension, d) => {
      divisor /= dimension.size;
      terms.push({ ...dimension, variable: name, divisor, isOutermost: d === 0 });
    });
    first = end;
  }
  return terms;
}

/** What four neighbours of the last variable read: one aligned vector, all the same element, or any four. */
function loadShape(view: View, walk: Omit<Walk, 'width' | 'vectors'>): 'vector' | 'same' | 'any' {
  const terms = viewTerms(view, walk);
  if (terms === undefined) return 'same';
  const last = walk.variables?.at(-1)?.name ?? 'flat';
  const inner = terms.at(-1);
  if (inner === undefined || inner.variable !== last) return 'same';
  const isMultiple = (value: number) => value % 4 === 0;
  if (![inner.size, inner.begin, inner.end].every(isMultiple)) return 'any';
  if (inner.stride === 0) return 'same';
  const isAligned = [view.offset, ...terms.slice(0, -1).map(({ stride }) => stride)].every(isMultiple);
  return inner.stride === 1 && isAligned ? 'vector' : 'any';
}

interface Value {
  readonly text: string;
  readonly dtype: DType;
  readonly width: Width;
}

class Writer {
  readonly lines: string[] = [];
  readonly #instructions: readonly Instruction[];
  readonly #walk: Walk;
  readonly #values = new Map<number, Value>();
  readonly #coordinates = new Map<string, string>();

  constructor(instructions: readonly Instruction[], walk: Walk) {
    this.#instructions = instructions;
    this.#walk = walk;
  }

  /** The value of an instruction that is written, in the width of the walk. */
  value(position: number, width = this.#walk.width): string {
    const value = this.#values.get(position);
    if (value === undefined) throw new RangeError(`instruction ${position} precedes its argument`);
    return value.width === width ? value.text : `${wgslType(value.dtype, width)}(${value.text})`;
  }

  write(position: number): void {
    const instruction = this.#instructions[position];
    const { dtype } = instruction;
    switch (instruction.op) {
      case 'load':
        this.#values.set(position, this.#load(`v${position}`, instruction.input, dtype, instruction.view));
        break;
      case 'scalar':
        this.#values.set(position, { text: `scalars.s${instruction.slot}`, dtype, width: 1 });
        break;
      case 'constant':
        // By name: what is computed of literals alone must be finite, or the shader is an error.
        this.#declare(position, dtype, { text: constantText(instruction.value, dtype), width: 1 });
        break;
      case 'index':
        this.#declare(position, dtype, this.#index(instruction));
        break;
      case 'accumulator':
        this.#values.set(position, { text: 'accumulator', dtype, width: this.#walk.width });
        break;
      default: {
        // What is the same for all four elements is computed once.
        const { args, op } = instruction;
        const width = args.some((arg) => this.#values.get(arg)?.width === 4) ? 4 : 1;
        const argument = this.#instructions[args[op === 'where' ? 1 : 0]].dtype;
        const texts = args.map((arg) => this.value(arg, width));
        this.#declare(position, dtype, { text: operationText(op, dtype, argument, width, texts), width });
      }
    }
  }

  #declare(position: number, dtype: DType, { text, width }: { text: string; width: Width }): void {
    this.lines.push(`let v${position} = ${text};`);
    this.#values.set(position, { text: `v${position}`, dtype, width });
  }

  #load(name: string, input: number, dtype: DType, view: View): Value {
    const terms = viewTerms(view, this.#walk);
    if (terms === undefined) return { text: constantText(0, dtype), dtype, width: 1 };
    const shape = loadShape(view, this.#walk);
    const isVector = this.#walk.vectors.has(input);
    if (this.#walk.width === 1 || shape === 'same') {
      const address = this.#address(view.offset, terms, 0);
      const element = isVector
        ? `load_e${input}(${inFours(address)})[${bracketed(address)} % 4u]`
        : `load_e${input}(${address})`;
      this.#guarded(name, wgslType(dtype, 1), element, terms, 0);
      return { text: name, dtype, width: 1 };
    }
    if (shape === 'vector' && isVector) {
      const vector = `load_e${input}(${inFours(this.#address(view.offset, terms, 0))})`;
      this.#guarded(name, wgslType(dtype, 4), vector, terms, 0);
      return { text: name, dtype, width: 4 };
    }
    const lanes = [0, 1, 2, 3].map((lane) => {
      const element = `load_e${input}(${this.#address(view.offset, terms, lane)})`;
      this.#guarded(`${name}_${lane}`, wgslType(dtype, 1), element, terms, lane);
      return `${name}_${lane}`;
    });
    this.lines.push(`let ${name} = ${wgslType(dtype, 4)}(${lanes.join(', ')});`);
    return { text: name, dtype, width: 4 };
  }

  /** Declares a loaded value, 0 where a coordinate lies in the padding. */
  #guarded(name: string, type: string, load: string, terms: readonly Term[], lane: number): void {
    const conditions = terms.flatMap((term) => {
      if (isWhole(term)) return [];
      const coordinate = this.#coordinate(term, lane);
      const { begin, end, size } = term;
      return [
        ...(begin > 0 ? [`${coordinate} >= ${begin}u`] : []),
        ...(end < size ? [`${coordinate} < ${end}u`] : []),
      ];
    });
    if (conditions.length === 0) this.lines.push(`let ${name} = ${load};`);
    else this.lines.push(`var ${name}: ${type};`, `if (${conditions.join(' && ')}) { ${name} = ${load}; }`);
  }

  #index({ offset, strides }: View): { text: string; width: Width } {
    const terms = viewTerms({ offset, strides }, this.#walk) ?? [];
    const shape = this.#walk.width === 1 ? 'same' : loadShape({ offset, strides }, this.#walk);
    const lanes = (shape === 'same' ? [0] : [0, 1, 2, 3]).map((lane) => this.#address(offset, terms, lane));
    const width = shape === 'same' ? 1 : 4;
    return { text: `${wgslType('int32', width)}(${lanes.map((lane) => `i32(${lane})`).join(', ')})`, width };
  }

  /** offset + sum of coordinate * stride, modulo 2^32. */
  #address(offset: number, terms: readonly Term[], lane: number): string {
    const signed = terms.flatMap((term) => {
      if (term.stride === 0) return [];
      const factor = Math.abs(term.stride);
      const coordinate = this.#coordinate(term, lane);
      return [`${term.stride < 0 ? '-' : '+'} ${coordinate}${factor === 1 ? '' : ` * ${factor}u`}`];
    });
    if (signed.length === 0) return `${offset >>> 0}u`;
    if (offset === 0 && signed[0].startsWith('+')) return signed.join(' ').slice(2);
    return `${offset >>> 0}u ${signed.join(' ')}`;
  }

  #coordinate({ variable, divisor, size, isOutermost }: Term, lane: number): string {
    const last = this.#walk.variables?.at(-1)?.name ?? 'flat';
    const place = lane > 0 && variable === last ? `(${variable} + ${lane}u)` : variable;
    const quotient = divisor === 1 ? place : `${place} / ${divisor}u`;
    const text = isOutermost ? quotient : `${quotient} % ${size}u`;
    if (text === variable) return variable;
    const known = this.#coordinates.get(text);
    if (known !== undefined) return known;
    const name = `i${this.#coordinates.size}`;
    this.#coordinates.set(text, name);
    this.lines.push(`let ${name} = ${text};`);
    return name;
  }
}

/** The vector of four that an element is in. */
function inFours(address: string): string {
  return `${bracketed(address)} / 4u`;
}

function bracketed(text: string): string {
  return /^\w+$/.test(text) ? text : `(${text})`;
}

/** A constant by its bits where WGSL has no literal for it. */
export function constantText(value: number, dtype: DType): string {
  switch (dtype) {
    case 'float32':
    case 'float16': {
      const float = Math.fround(value);
      // Without a decimal point it would be an integer, and might be too large for one.
      const literal = /[.e]/.test(`${float}`) ? `${float}` : `${float}.0`;
      if (Number.isFinite(float) && !Object.is(float, -0)) return `f32(${literal})`;
      const [bits] = new Uint32Array(Float32Array.of(float).buffer);
      return `dmpo_float(${bits}u)`;
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
