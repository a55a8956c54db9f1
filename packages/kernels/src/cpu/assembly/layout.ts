// Where everything is that is not a buffer: the first kilobyte of memory, one cache line for each word that threads contend for.
// Shared with TypeScript: plain constants only.

/** Bytes of a cache line. */
export const LINE = 64;

/** u64: what the threads of a phase agree on; see threads.ts. */
export const PHASE_STATE = 64;
/** i32: threads asleep until the phase ends. */
export const PHASE_SLEEPERS = 128;
/** i32: which list of commands is open and how many threads work on it; see threads.ts. */
export const TEAM_STATE = 192;
/** i32: threads asleep until a list opens or its last worker leaves. */
export const TEAM_SLEEPERS = 256;
/** i32: not zero once a thread has failed. */
export const FAILED = 320;

/** u32: the open list, address of its first command, number of commands, phase it starts in. */
export const LIST_COMMANDS = 384;
export const LIST_COUNT = 388;
export const LIST_PHASE = 392;

/** u32: shared scratch memory of the running kernel. */
export const SCRATCH = 448;
/** u32: memory of each thread's own, address of thread 0's, and bytes from one thread's to the next. */
export const THREAD_MEMORY = 452;
export const THREAD_MEMORY_STRIDE = 456;
