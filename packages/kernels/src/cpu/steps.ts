/**
 * The first half of compiling an expression: which instructions of the WebAssembly kernels compute it, and how often each
 * has to run. Multiplications and additions are fused, broadcasts and constants are told from blocks.
 */

import type { Expression, Instruction } from '../expression.js';
import type { PointwiseOp } from '../pointwise.js';
import { type Dimension, mergeDimensions, viewLayout } from '../view-layout.js';
import { elementWord } from '../words.js';
import * as code from './assembly/opcodes.js';
import { opcodeOf, SAME_BITS } from './opcode.js';

/** How often a value is computed: once for all elements, once for all blocks, or for each block. */
export type Frequency = 'uniform' | 'invariant' | 'varying';

/** Something that needs no instruction because it lies in memory already: see `AT_...` in assembly/opcodes.ts. */
export interface Place {
  readonly kind: number;
  /** Pointer, scalar slot, or the constant's word. */
  readonly index: number;
  /** Bytes from the pointer. */
  readonly offset: number;
}

export interface Value {
  readonly frequency: Frequency;
  /** Absent if a step computes the value. */
  readonly place?: Place;
}

/** One instruction. Those that move data have numbers, and perhaps a view, in the place of operands. */
export interface Step {
  readonly opcode: number;
  readonly target: Value;
  readonly operands: readonly Value[];
  readonly numbers: readonly number[];
  readonly view?: StepView;
}

/** Offset and strides are in bytes for loads, plain numbers for indices. */
export interface StepView {
  readonly offset: number;
  readonly dimensions: readonly Dimension[];
}

export interface Steps {
  readonly uniform: readonly Step[];
  readonly invariant: readonly Step[];
  readonly varying: readonly Step[];
  /** The expression's results. */
  readonly results: readonly Value[];
  /** Elements of a block. */
  readonly block: number;
}

export interface StepOptions {
  readonly expression: Expression;
  /** At least one element. */
  readonly shape: readonly number[];
  /** The pointer to what `accumulator` reads. */
  readonly accumulatorPointer: number;
  /** Whether blocks only ever begin at multiples of their size. */
  readonly isAligned: boolean;
}

const SMALL_BLOCK = 512;
const LARGE_BLOCK = 1024;
/** Expressions with at most this many instructions have few enough registers for large blocks. */
const LARGE_BLOCK_INSTRUCTIONS = 6;

export function selectSteps(options: StepOptions): Steps {
  return new Selection(options).run();
}

class Selection {
  readonly #options: StepOptions;
  readonly #uses: readonly number[];
  readonly #block: number;
  readonly #values: Value[] = [];
  readonly #steps: Record<Frequency, Step[]> = { uniform: [], invariant: [], varying: [] };

  constructor(options: StepOptions) {
    this.#options = options;
    this.#uses = countUses(options.expression);
    this.#block = this.#chooseBlock();
  }

  run(): Steps {
    const { instructions, results } = this.#options.expression;
    instructions.forEach((instruction, position) => {
      if (this.#uses[position] > 0) this.#values[position] = this.#select(instruction);
    });
    return { ...this.#steps, results: results.map((position) => this.#values[position]), block: this.#block };
  }

  /** A multiple of four, and of the periods of repeated rows as far as they fit. */
  #chooseBlock(): number {
    const { expression, shape, isAligned } = this.#options;
    const computations = expression.instructions.filter((_, position) => this.#uses[position] > 0);
    const block = computations.length <= LARGE_BLOCK_INSTRUCTIONS ? LARGE_BLOCK : SMALL_BLOCK;
    let multiple = 4;
    for (const instruction of isAligned ? computations : []) {
      if (instruction.op !== 'load') continue;
      const layout = viewLayout(instruction.view, shape);
      if (layout.kind !== 'periodic') continue;
      const common = leastCommonMultiple(multiple, layout.period);
      if (common <= block) multiple = common;
    }
    return Math.floor(block / multiple) * multiple;
  }

  #select(instruction: Instruction): Value {
    switch (instruction.op) {
      case 'constant':
        return constant(elementWord(instruction.value, instruction.dtype));
      case 'scalar':
        return { frequency: 'uniform', place: { kind: code.AT_SCALAR, index: instruction.slot, offset: 0 } };
      case 'accumulator':
        return inMemory(this.#options.accumulatorPointer, 0);
      case 'load':
        return this.#selectLoad(instruction);
      case 'index':
        return this.#selectIndex(instruction);
      default:
        return this.#selectPointwise(instruction.op, instruction.args);
    }
  }

  #selectLoad({ input, view }: Extract<Instruction, { op: 'load' }>): Value {
    const layout = viewLayout(view, this.#options.shape);
    const offset = 4 * view.offset;
    switch (layout.kind) {
      case 'zero':
        return constant(0);
      case 'uniform':
        return this.#move('uniform', code.LOAD_UNIFORM, [input, offset]);
      case 'contiguous':
        return inMemory(input, offset);
      case 'periodic':
        if (layout.period <= this.#block) {
          const isInvariant = this.#options.isAligned && this.#block % layout.period === 0;
          const frequency = isInvariant ? 'invariant' : 'varying';
          return this.#move(frequency, code.LOAD_PERIODIC, [input, offset, layout.period]);
        }
        return this.#move('varying', code.LOAD_VIEW, [input], inBytes(view.offset, layout.dimensions));
      case 'repeated':
        return this.#move('varying', code.LOAD_REPEATED, [input], inBytes(view.offset, layout.dimensions));
      case 'strided':
        return this.#move('varying', code.LOAD_VIEW, [input], inBytes(view.offset, layout.dimensions));
      default:
        return layout satisfies never;
    }
  }

  #selectIndex({ offset, strides }: Extract<Instruction, { op: 'index' }>): Value {
    const dimensions = mergeDimensions({ offset, strides }, this.#options.shape) ?? [];
    if (dimensions.every(({ stride }) => stride === 0)) return constant(offset >>> 0);
    return this.#move('varying', code.LOAD_INDEX, [0], { offset, dimensions });
  }

  #selectPointwise(op: PointwiseOp, args: readonly number[]): Value {
    const { instructions } = this.#options.expression;
    const opcode = opcodeOf(op, instructions[args[0]].dtype);
    const operands = args.map((arg) => this.#values[arg]);
    if (opcode === SAME_BITS) return operands[0];
    const frequency = mostFrequent(operands);

    // a * b + c and c - a * b are one instruction where nothing else wants the product.
    const places = opcode === code.ADD_F ? [0, 1] : opcode === code.SUB_F ? [1] : [];
    for (const place of places) {
      const steps = this.#steps[frequency];
      const product = steps.findIndex(({ target }) => target === operands[place]);
      if (product < 0 || instructions[args[place]].op !== 'mul' || this.#uses[args[place]] > 1) continue;
      const [{ operands: factors }] = steps.splice(product, 1);
      const fused = opcode === code.ADD_F ? code.MADD_F : code.NMADD_F;
      return this.#compute(frequency, fused, [...factors, operands[1 - place]]);
    }
    return this.#compute(frequency, opcode, operands);
  }

  #compute(frequency: Frequency, opcode: number, operands: readonly Value[]): Value {
    const target: Value = { frequency };
    this.#steps[frequency].push({ opcode, target, operands, numbers: [] });
    return target;
  }

  #move(frequency: Frequency, opcode: number, numbers: readonly number[], view?: StepView): Value {
    const target: Value = { frequency };
    this.#steps[frequency].push({ opcode, target, operands: [], numbers, ...(view && { view }) });
    return target;
  }
}

/** How many live instructions and results read each instruction's value; 0 for those that nothing needs. */
function countUses({ instructions, results }: Expression): number[] {
  const uses = new Array<number>(instructions.length).fill(0);
  for (const position of results) uses[position]++;
  for (let position = instructions.length - 1; position >= 0; position--) {
    const instruction = instructions[position];
    if (uses[position] === 0 || !('args' in instruction)) continue;
    for (const arg of instruction.args) uses[arg]++;
  }
  return uses;
}

function mostFrequent(values: readonly Value[]): Frequency {
  if (values.some(({ frequency }) => frequency === 'varying')) return 'varying';
  return values.some(({ frequency }) => frequency === 'invariant') ? 'invariant' : 'uniform';
}

function constant(word: number): Value {
  return { frequency: 'uniform', place: { kind: code.AT_CONSTANT, index: word, offset: 0 } };
}

function inMemory(pointer: number, offset: number): Value {
  return { frequency: 'varying', place: { kind: code.AT_INPUT, index: pointer, offset } };
}

function inBytes(offset: number, dimensions: readonly Dimension[]): StepView {
  return {
    offset: 4 * offset,
    dimensions: dimensions.map((dimension) => ({ ...dimension, stride: 4 * dimension.stride })),
  };
}

function leastCommonMultiple(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  return (a / divisor) * b;
}
