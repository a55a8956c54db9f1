// map: a program over every element of an index space; and the same program as the epilogue of a matmul or convolution.

import { size } from './command';
import { bind, blockSize, evaluate } from './program';
import { barrier, claim } from './threads';

/** Sizes: elements, elements in a chunk (whole blocks). */
export function map(command: usize, thread: i32): void {
  const elements = <u32>size(command, 0);
  const chunk = <u32>size(command, 1);
  for (;;) {
    const index = <u32>claim();
    if (index >= (elements + chunk - 1) / chunk) break;
    const begin = index * chunk;
    evaluateRange(command, begin, min(begin + chunk, elements), thread);
  }
  barrier();
}

/**
 * Runs the epilogue of a command on elements begin to end of its output, which hold the accumulators and receive the
 * results. `epilogue` 0 means that there is none. Any range will do; ranges of a multiple of four elements are faster.
 */
export function applyEpilogue(epilogue: usize, begin: i32, end: i32, thread: i32): void {
  if (epilogue != 0) evaluateRange(epilogue, begin, end, thread);
}

@inline
function evaluateRange(command: usize, begin: u32, end: u32, thread: i32): void {
  bind(command, thread);
  const block = <u32>blockSize();
  for (; begin < end; begin += block) evaluate(begin, min(block, end - begin));
}
