// Commands as the device writes them (cpu/cpu-device.ts, cpu/kernel-cache.ts). A command is words: opcode, address of the next command, of its
// kernel, of its scalars (each filling a vector), then the addresses of its inputs and of its outputs. A kernel, what is the
// same whenever it runs, is words: address of its program or 0, byte of the command at which the outputs begin, then sizes.

const NEXT: usize = 4;
const KERNEL: usize = 8;
const SCALARS: usize = 12;
const POINTERS: usize = 16;

const PROGRAM: usize = 0;
const OUTPUTS: usize = 4;
const SIZES: usize = 8;

@inline
export function opcodeOf(command: usize): i32 {
  return load<i32>(command);
}

@inline
export function nextCommand(command: usize): usize {
  return load<u32>(command, NEXT);
}

@inline
export function kernelOf(command: usize): usize {
  return load<u32>(command, KERNEL);
}

@inline
export function scalarsOf(command: usize): usize {
  return load<u32>(command, SCALARS);
}

/** Where the addresses of the inputs and outputs are. */
@inline
export function pointersOf(command: usize): usize {
  return command + POINTERS;
}

@inline
export function inputOf(command: usize, index: i32): usize {
  return load<u32>(command + POINTERS + (<usize>index << 2));
}

@inline
export function outputOf(command: usize, index: i32): usize {
  return load<u32>(command + load<u32>(kernelOf(command), OUTPUTS) + (<usize>index << 2));
}

/** The address of the command's program, or 0. */
@inline
export function programOf(command: usize): usize {
  return load<u32>(kernelOf(command), PROGRAM);
}

/** The kernel's sizes: words of the meaning that its compilation (cpu/kernels.ts) gives them. */
@inline
export function sizesOf(command: usize): usize {
  return kernelOf(command) + SIZES;
}

/** Size `index` as an integer, or as float32. */
@inline
export function size(command: usize, index: i32): i32 {
  return load<i32>(sizesOf(command) + (<usize>index << 2));
}

@inline
export function floatSize(command: usize, index: i32): f32 {
  return load<f32>(sizesOf(command) + (<usize>index << 2));
}
