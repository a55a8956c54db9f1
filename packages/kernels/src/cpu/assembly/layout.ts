// Where everything is that is not a buffer: the first kilobyte of memory, one cache line for each word that threads contend for.
// The device writes the settings before the first list of commands; cpu/layout.ts names the same addresses.

/** u64: what the threads of a phase agree on; see threads.ts. */
export const PHASE_STATE: usize = 64;
/** i32: threads asleep until the phase ends. */
export const PHASE_SLEEPERS: usize = 128;
/** i32: which list of commands is open and how many threads work on it; see threads.ts. */
export const TEAM_STATE: usize = 192;
/** i32: threads asleep until a list opens or its last worker leaves. */
export const TEAM_SLEEPERS: usize = 256;
/** i32: not zero once a thread has failed. */
export const FAILED: usize = 320;

/** The open list: address of its first command, number of commands, phase it starts in. */
export const LIST_COMMANDS: usize = 384;
export const LIST_COUNT: usize = 388;
export const LIST_PHASE: usize = 392;

/** Shared scratch memory of the running kernel. */
export const SCRATCH: usize = 448;
/** Memory of each thread's own: address of thread 0's, and bytes from one thread's to the next. */
export const THREAD_MEMORY: usize = 452;
export const THREAD_MEMORY_STRIDE: usize = 456;
