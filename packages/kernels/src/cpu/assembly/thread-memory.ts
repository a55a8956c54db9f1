// Memory that one thread has to itself while a kernel runs.

import { THREAD_MEMORY, THREAD_MEMORY_STRIDE } from './layout';

@inline
export function threadMemory(thread: i32): usize {
  return <usize>load<u32>(THREAD_MEMORY) + <usize>thread * load<u32>(THREAD_MEMORY_STRIDE);
}
