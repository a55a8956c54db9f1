// Programs: pointwise expressions compiled by the device (cpu/program.ts), run block by block over registers that stay in cache.
//
// A program is words: the header below, its locations (four words each: where, and two numbers that depend on it), its
// instructions (five words each: opcode, target, operands a, b, c as bytes into the table of locations), and the
// constants and views that these point to. The table of locations, an address and a stride each, is the thread's own,
// as are the registers. Inputs come first among the locations, then outputs: both move on from block to block.

import { pointersOf, programOf, scalarsOf } from './command';
import { threadMemory } from './thread-memory';
import * as op from './opcodes';
import { arithmetic, comparison, conversion, copy, elementary, integer } from './elementwise';
import { loadIndex, loadPeriodic, loadRepeated, loadView } from './views';

/** Header, in bytes. The counts of instructions are in order of execution: uniform, invariant, then those of every block. */
const BLOCK: usize = 0;
const INPUTS: usize = 4;
const OUTPUTS: usize = 8;
const LOCATIONS: usize = 12;
const UNIFORM_INSTRUCTIONS: usize = 16;
const INVARIANT_INSTRUCTIONS: usize = 20;
const BLOCK_INSTRUCTIONS: usize = 24;
const INSTRUCTIONS_OFFSET: usize = 28;
const RESULT: usize = 32;
const UNIFORMS_OFFSET: usize = 36;
const COORDINATES_OFFSET: usize = 40;
const REGISTERS_OFFSET: usize = 44;
const REGISTER_BYTES: usize = 48;
const HEADER: usize = 52;

const LOCATION: usize = 16;
const INSTRUCTION: usize = 20;

// What the thread has bound. Globals belong to the instance, and each thread has its own.
let boundCommand: usize = 0;
let program: usize = 0;
let pointers: usize = 0;
let table: usize = 0;

/** Forgets the bound command: the list is another, and addresses of commands are used again. */
export function unbind(): void {
  boundCommand = 0;
}

/** Elements that `evaluate` takes at most. */
@inline
export function blockSize(): i32 {
  return load<i32>(program, BLOCK);
}

/** Where `evaluate` leaves the first result of a program without outputs. */
@inline
export function result(): usize {
  return load<usize>(table + load<u32>(program, RESULT));
}

/** Makes the command's program the one that `evaluate` runs, and computes what does not change from block to block. */
export function bind(command: usize, thread: i32): void {
  if (command == boundCommand) return;
  boundCommand = command;
  program = programOf(command);
  pointers = pointersOf(command);
  table = threadMemory(thread);

  const registers = table + load<u32>(program, REGISTERS_OFFSET);
  const uniforms = table + load<u32>(program, UNIFORMS_OFFSET);
  const scalars = scalarsOf(command);
  const count = load<i32>(program, LOCATIONS);
  for (let i = 0; i < count; i++) {
    const location = program + HEADER + <usize>i * LOCATION;
    const a = load<u32>(location, 4);
    let address: usize = 0;
    let stride = 0;
    switch (load<i32>(location)) {
      case op.AT_INPUT:
      case op.AT_OUTPUT:
        stride = 16;
        break;
      case op.AT_REGISTER:
        address = registers + <usize>a * load<u32>(program, REGISTER_BYTES);
        stride = 16;
        break;
      case op.AT_UNIFORM:
        address = uniforms + (<usize>a << 4);
        break;
      case op.AT_CONSTANT:
        address = program + a;
        break;
      default:
        address = scalars + (<usize>a << 4);
    }
    store<usize>(table + (<usize>i << 3), address);
    store<u32>(table + (<usize>i << 3), stride, 4);
  }

  const uniform = program + load<u32>(program, INSTRUCTIONS_OFFSET);
  const invariant = uniform + <usize>load<u32>(program, UNIFORM_INSTRUCTIONS) * INSTRUCTION;
  execute(uniform, invariant, 0, 4);
  execute(invariant, invariant + <usize>load<u32>(program, INVARIANT_INSTRUCTIONS) * INSTRUCTION, 0, blockSize());
}

/** Runs the bound program on elements begin to begin + count of its index space, at most a block. */
export function evaluate(begin: usize, count: i32): void {
  const inputs = load<i32>(program, INPUTS);
  const streams = inputs + load<i32>(program, OUTPUTS);
  // A last vector that is not full is written aside and copied, so that nothing after the range changes.
  const ragged = (count & 3) != 0;
  for (let i = 0; i < streams; i++) {
    const location = program + HEADER + <usize>i * LOCATION;
    const b = load<u32>(location, 8);
    let address = <usize>load<u32>(pointers + (load<u32>(location, 4) << 2)) + (begin << 2);
    if (i < inputs) address += b;
    else if (ragged) address = spareRegister(b);
    store<usize>(table + (<usize>i << 3), address);
  }

  const first =
    program +
    load<u32>(program, INSTRUCTIONS_OFFSET) +
    <usize>(load<u32>(program, UNIFORM_INSTRUCTIONS) + load<u32>(program, INVARIANT_INSTRUCTIONS)) * INSTRUCTION;
  execute(first, first + <usize>load<u32>(program, BLOCK_INSTRUCTIONS) * INSTRUCTION, begin, count);

  if (ragged) {
    for (let i = inputs; i < streams; i++) {
      const location = program + HEADER + <usize>i * LOCATION;
      const output = <usize>load<u32>(pointers + (load<u32>(location, 4) << 2)) + (begin << 2);
      memory.copy(output, spareRegister(load<u32>(location, 8)), <usize>count << 2);
    }
  }
}

@inline
function spareRegister(index: u32): usize {
  return table + load<u32>(program, REGISTERS_OFFSET) + <usize>index * load<u32>(program, REGISTER_BYTES);
}

function execute(instruction: usize, end: usize, begin: usize, count: i32): void {
  const vectors = (count + 3) >> 2;
  for (; instruction != end; instruction += INSTRUCTION) {
    const opcode = load<i32>(instruction);
    const target = load<usize>(table + load<u32>(instruction, 4));
    const family = opcode >> op.FAMILY_SHIFT;
    if (family == op.LOADS) {
      loads(opcode, target, vectors, instruction, begin, count);
      continue;
    }
    const first = table + load<u32>(instruction, 8);
    const second = table + load<u32>(instruction, 12);
    const third = table + load<u32>(instruction, 16);
    const a = load<usize>(first);
    const aStride = load<usize>(first, 4);
    const b = load<usize>(second);
    const bStride = load<usize>(second, 4);
    const c = load<usize>(third);
    const cStride = load<usize>(third, 4);
    switch (family) {
      case op.ARITHMETIC:
        arithmetic(opcode, target, vectors, a, aStride, b, bStride, c, cStride);
        break;
      case op.ELEMENTARY:
        elementary(opcode, target, vectors, a, aStride, b, bStride, c, cStride);
        break;
      case op.COMPARISON:
        comparison(opcode, target, vectors, a, aStride, b, bStride);
        break;
      case op.INTEGER:
        integer(opcode, target, vectors, a, aStride, b, bStride);
        break;
      default:
        conversion(opcode, target, vectors, a, aStride);
    }
  }
}

/** Instructions that move data. Their operands: slot of the pointer, then what they need to know about the view. */
function loads(opcode: i32, target: usize, vectors: i32, instruction: usize, begin: usize, count: i32): void {
  const a = load<u32>(instruction, 8);
  const b = load<u32>(instruction, 12);
  const c = load<u32>(instruction, 16);
  const coordinates = table + load<u32>(program, COORDINATES_OFFSET);
  switch (opcode) {
    case op.LOAD_VIEW:
      return loadView(program + b, load<u32>(pointers + (a << 2)), target, begin, count, coordinates);
    case op.LOAD_REPEATED:
      return loadRepeated(program + b, load<u32>(pointers + (a << 2)), target, begin, count, coordinates);
    case op.LOAD_PERIODIC:
      return loadPeriodic(load<u32>(pointers + (a << 2)) + b, c, target, begin, count);
    case op.LOAD_UNIFORM:
      return v128.store(target, v128.load32_splat(load<u32>(pointers + (a << 2)) + b));
    case op.LOAD_INDEX:
      return loadIndex(program + b, target, begin, count, coordinates);
    default:
      copy(target, vectors, load<usize>(table + a), load<usize>(table + a, 4));
  }
}
