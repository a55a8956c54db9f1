/**
 * The second half of compiling an expression: registers for its values, as few as are alive at once, and the words of a
 * program as assembly/program.ts reads them.
 */

import { isWhole } from '../view-layout.js';
import * as code from './assembly/opcodes.js';
import { type Place, type Step, type StepOptions, type Steps, selectSteps, type Value } from './steps.js';

export interface ProgramOptions extends Omit<StepOptions, 'accumulatorPointer'> {
  /** Place of the first output among the command's pointers. */
  readonly outputPointer: number;
  /** Whether results are stored in the outputs; if not, the caller takes the only result from block to block. */
  readonly storesResults: boolean;
  /** `[input, output]` for each input that is the same buffer as an output. */
  readonly inPlace: readonly (readonly [input: number, output: number])[];
}

export interface Program {
  /** Free of absolute addresses. */
  readonly words: readonly number[];
  /** Elements of a block. */
  readonly block: number;
  /** Memory of its own that each thread needs. */
  readonly threadBytes: number;
  /** A rough price of one element, in simple operations. */
  readonly cost: number;
}

const HEADER_WORDS = 13;
const LOCATION_WORDS = 4;
const INSTRUCTION_WORDS = 5;
/** Loops run over whole vectors, copies of short runs a vector further. */
const REGISTER_PADDING = 64;
const MOST_DIMENSIONS = 32;

/** Price of an instruction of each family, in simple operations. */
const FAMILY_COST = [2, 1, 12, 1, 1, 1];

/** Compiles an expression over at least one element. */
export function compileProgram(options: ProgramOptions): Program {
  const steps = selectSteps({ ...options, accumulatorPointer: options.outputPointer });
  const { varying, outputs, result } = placeResults(steps, options);
  const registers = new Registers();
  for (const { target } of steps.uniform) registers.keepUniform(target);
  for (const { target } of steps.invariant) registers.keep(target);
  assignRegisters(varying, result, registers);
  return encode({ ...steps, varying }, outputs, result, registers);
}

/** An output as a target of steps. */
interface Output extends Value {
  readonly output: number;
}

interface PlacedResults {
  readonly varying: readonly Step[];
  readonly outputs: readonly Output[];
  /** What the caller takes, if results are not stored. */
  readonly result?: Value;
}

/** Lets each result be computed where it is stored, or adds the steps that copy it there. */
function placeResults(steps: Steps, options: ProgramOptions): PlacedResults {
  if (!options.storesResults) {
    const [result] = steps.results;
    if (result.frequency === 'varying') return { varying: steps.varying, outputs: [], result };
    const target: Value = { frequency: 'varying' };
    return { varying: [...steps.varying, copyStep(result, target)], outputs: [], result: target };
  }

  const outputs = steps.results.map((_, output): Output => {
    return {
      frequency: 'varying',
      output,
      place: { kind: code.AT_OUTPUT, index: options.outputPointer + output, offset: 0 },
    };
  });
  // An input that shares the buffer of an output must not be read once that is written.
  const overwrites = (output: number, value: Value) =>
    value.place?.kind === code.AT_INPUT &&
    (value.place.index === options.outputPointer + output ||
      options.inPlace.some(([input, other]) => other === output && input === value.place?.index));

  const targets = new Map<Value, Output>();
  const copies: { result: Value; output: Output }[] = [];
  steps.results.forEach((result, output) => {
    const step = steps.varying.findIndex(({ target }) => target === result);
    const later = [...steps.varying.slice(step + 1).flatMap(({ operands }) => operands), ...steps.results];
    if (step >= 0 && !targets.has(result) && !later.some((value) => overwrites(output, value))) {
      targets.set(result, outputs[output]);
    } else if (!overwrites(output, result)) {
      copies.push({ result, output: outputs[output] });
    }
  });

  // Copies read before they write, so that outputs may exchange inputs.
  const isOverwritten = (value: Value) => outputs.some(({ output }) => overwrites(output, value));
  const saved = new Map<Value, Value>();
  for (const { result } of copies) if (isOverwritten(result)) saved.set(result, { frequency: 'varying' });
  const place = (value: Value): Value => targets.get(value) ?? value;
  return {
    // An output that is left as it is needs no place.
    outputs: [...targets.values(), ...copies.map(({ output }) => output)],
    varying: [
      ...steps.varying.map((step) => ({
        ...step,
        target: place(step.target),
        operands: step.operands.map(place),
      })),
      ...[...saved].map(([result, register]) => copyStep(result, register)),
      ...copies.map(({ result, output }) => copyStep(saved.get(result) ?? place(result), output)),
    ],
  };
}

function copyStep(from: Value, target: Value): Step {
  return { opcode: code.COPY, target, operands: [from], numbers: [] };
}

/** Blocks for the values that steps compute, used again when the value is no longer needed. */
class Registers {
  readonly places = new Map<Value, Place>();
  readonly #free: number[] = [];
  count = 0;
  uniforms = 0;

  keepUniform(value: Value): void {
    this.places.set(value, { kind: code.AT_UNIFORM, index: this.uniforms++, offset: 0 });
  }

  keep(value: Value): void {
    const index = this.#free.pop() ?? this.count++;
    this.places.set(value, { kind: code.AT_REGISTER, index, offset: 0 });
  }

  release(value: Value): void {
    const place = this.places.get(value);
    if (place?.kind === code.AT_REGISTER) this.#free.push(place.index);
  }
}

function assignRegisters(steps: readonly Step[], result: Value | undefined, registers: Registers): void {
  const lastUse = new Map<Value, number>();
  steps.forEach(({ operands }, index) => {
    for (const operand of operands) lastUse.set(operand, index);
  });
  if (result !== undefined) lastUse.set(result, steps.length);
  steps.forEach(({ target, operands }, index) => {
    // Loops read an element before they write it, so a target may take the register of an operand.
    for (const operand of new Set(operands)) {
      if (operand.frequency === 'varying' && lastUse.get(operand) === index) registers.release(operand);
    }
    if (target.place === undefined) registers.keep(target);
  });
}

function encode(
  steps: Pick<Steps, 'uniform' | 'invariant' | 'varying' | 'block'>,
  outputs: readonly Output[],
  result: Value | undefined,
  registers: Registers,
): Program {
  const all = [...steps.uniform, ...steps.invariant, ...steps.varying];
  const placeOf = (value: Value): Place => (value.place ?? registers.places.get(value)) as Place;

  // Inputs first, then outputs, then the others: the order in which the kernels set them up.
  const rank = ({ kind }: Place) => (kind === code.AT_INPUT ? 0 : kind === code.AT_OUTPUT ? 1 : 2);
  const places = new Map<string, Place>();
  const values = [...all.flatMap(({ target, operands }) => [target, ...operands]), ...outputs];
  if (result !== undefined) values.push(result);
  for (const value of values) places.set(placeKey(placeOf(value)), placeOf(value));
  const locations = [...places.values()].sort((a, b) => rank(a) - rank(b));
  const indices = new Map(locations.map((place, index) => [placeKey(place), index]));
  const tableOffset = (value: Value) => 8 * (indices.get(placeKey(placeOf(value))) as number);

  const constants: number[] = [];
  const views: number[] = [];
  const instructionsAt = HEADER_WORDS + LOCATION_WORDS * locations.length;
  const constantsAt = instructionsAt + INSTRUCTION_WORDS * all.length;
  const viewsAt = constantsAt + 4 * locations.filter(({ kind }) => kind === code.AT_CONSTANT).length;

  const locationWords = locations.flatMap((place) => {
    if (place.kind === code.AT_CONSTANT) {
      constants.push(place.index, place.index, place.index, place.index);
      return [place.kind, 4 * (constantsAt + constants.length - 4), 0, 0];
    }
    if (place.kind === code.AT_OUTPUT) return [place.kind, place.index, registers.count++, 0];
    return [place.kind, place.index, place.offset, 0];
  });

  const instructionWords = all.flatMap(({ opcode, target, operands, numbers, view }) => {
    const words = [opcode, tableOffset(target), ...operands.map(tableOffset), ...numbers];
    if (view !== undefined) {
      words.push(4 * (viewsAt + views.length));
      views.push(...viewWords(view));
    }
    while (words.length < INSTRUCTION_WORDS) words.push(0);
    return words;
  });

  const registerBytes = 4 * steps.block + REGISTER_PADDING;
  const uniformsAt = roundUp(8 * locations.length, 16);
  const coordinatesAt = uniformsAt + 16 * registers.uniforms;
  const registersAt = roundUp(coordinatesAt + 4 * MOST_DIMENSIONS, 64);
  const header = [
    steps.block,
    locations.filter(({ kind }) => kind === code.AT_INPUT).length,
    outputs.length,
    locations.length,
    steps.uniform.length,
    steps.invariant.length,
    steps.varying.length,
    4 * instructionsAt,
    result === undefined ? 0 : tableOffset(result),
    uniformsAt,
    coordinatesAt,
    registersAt,
    registerBytes,
  ];
  return {
    words: [...header, ...locationWords, ...instructionWords, ...constants, ...views],
    block: steps.block,
    threadBytes: registersAt + registers.count * registerBytes,
    cost: steps.varying.reduce((sum, { opcode }) => sum + FAMILY_COST[opcode >> code.FAMILY_SHIFT], 0),
  };
}

function placeKey({ kind, index, offset }: Place): string {
  return `${kind}:${index}:${offset}`;
}

function viewWords({ offset, dimensions }: NonNullable<Step['view']>): number[] {
  const isRestricted = !dimensions.every(isWhole);
  return [
    dimensions.length,
    isRestricted ? 1 : 0,
    offset,
    ...dimensions.flatMap(({ size, stride, begin, end }) => [size, stride, begin, end]),
  ];
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
