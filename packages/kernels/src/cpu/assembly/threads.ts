// How threads share the work of a list of commands: chunks are claimed one by one, phases end when their chunks are done.
//
// A team is elastic. Every thread walks the whole list and takes chunks by `claim`, but a phase waits only for threads
// that took part in it: a thread that wakes up late, or that the system has put aside, finds nothing left to claim in
// the phases it missed and runs through them to the present one. What a kernel must keep to, so that this is safe:
//
// - Work is only ever done for a claimed chunk, and never assigned by thread number (that thread may not be there).
//   Work that is not split is chunk 0 of a phase of one chunk.
// - Each phase ends with `barrier`, called by every thread; so does the kernel.
// - Between barriers a kernel claims until it is given a number that is not one of its chunks. It compares that number
//   before it computes with it, since it may be the largest there is.
// - The number of phases and chunks follows from the arguments, not from results: a late thread may read results that
//   later phases have overwritten. It must not matter what it reads when it claims nothing.

import {
  FAILED,
  LIST_COMMANDS,
  LIST_COUNT,
  LIST_PHASE,
  PHASE_SLEEPERS,
  PHASE_STATE,
  TEAM_SLEEPERS,
  TEAM_STATE,
} from './layout';

// PHASE_STATE: bits 0-31 next chunk, 32-39 threads at work in this phase, 40-63 number of the phase.
const WORKER: u64 = 1 << 32;
const PHASE: u64 = 1 << 40;
const PHASE_MASK: u32 = 0xffffff;

// TEAM_STATE: bits 0-7 threads at work on the list (the leader not counted), 8 whether it is open, 9-31 number of the list.
const MEMBERS: i32 = 0xff;
const OPEN: i32 = 0x100;
const LIST: i32 = 0x200;

/** Looks at a changing word before sleeping: some ten microseconds, less than it costs to be woken. */
const SPINS: i32 = 10000;
/** Nanoseconds after which a thread that waits for others looks whether one of them has failed. */
const PATIENCE: i64 = 200_000_000;
const FOREVER: i64 = -1;

// Globals belong to the instance, and each thread has its own.
let phase: u32 = 0;
let atWork: bool = false;
let lastList: i32 = 0;
let maySleep: bool = false;

/** The next chunk of the current phase that nobody has claimed: 0, 1, 2, ... A number without a chunk means: no more. */
export function claim(): i32 {
  let state = atomic.load<u64>(PHASE_STATE);
  while (phaseOf(state) == phase) {
    const seen = atomic.cmpxchg<u64>(PHASE_STATE, state, state + 1 + (atWork ? 0 : WORKER));
    if (seen == state) {
      atWork = true;
      return i32(state);
    }
    state = seen;
  }
  return i32.MAX_VALUE;
}

/** Ends a phase: returns when every claimed chunk of it is done. The next phase's chunks count from 0 again. */
export function barrier(): void {
  let state = atomic.load<u64>(PHASE_STATE);
  while (phaseOf(state) == phase) {
    const left = state - (atWork ? WORKER : 0);
    const isLast = (left & (PHASE - WORKER)) == 0;
    const seen = atomic.cmpxchg<u64>(PHASE_STATE, state, isLast ? (left & ~(PHASE - 1)) + PHASE : left);
    if (seen == state) {
      if (!isLast) awaitPhaseEnd();
      else if (atomic.load<i32>(PHASE_SLEEPERS) != 0) atomic.notify(PHASE_STATE + 4);
      break;
    }
    state = seen;
  }
  atWork = false;
  phase = (phase + 1) & PHASE_MASK;
}

/** The leader's part: opens a list to the other threads and becomes its first worker. */
export function openTeam(commands: usize, count: i32, sleepAllowed: bool): void {
  maySleep = sleepAllowed;
  atWork = false;
  phase = phaseOf(atomic.load<u64>(PHASE_STATE));
  store<u32>(LIST_COMMANDS, <u32>commands);
  store<i32>(LIST_COUNT, count);
  store<u32>(LIST_PHASE, phase);
  atomic.store<i32>(TEAM_STATE, ((atomic.load<i32>(TEAM_STATE) & ~MEMBERS) + LIST) | OPEN);
  if (atomic.load<i32>(TEAM_SLEEPERS) != 0) atomic.notify(TEAM_STATE);
}

/** The leader's part: lets nobody in any more and returns when everybody has left. */
export function closeTeam(): void {
  atomic.and<i32>(TEAM_STATE, ~OPEN);
  let spins = SPINS;
  for (;;) {
    const state = atomic.load<i32>(TEAM_STATE);
    if ((state & MEMBERS) == 0) return;
    if (--spins < 0) sleep(TEAM_STATE, state, TEAM_SLEEPERS, PATIENCE);
  }
}

/** A worker's part: waits until a list opens that it has not worked on, and joins. */
export function joinTeam(): void {
  maySleep = true;
  let spins = SPINS;
  for (;;) {
    const state = atomic.load<i32>(TEAM_STATE);
    const list = state & ~(MEMBERS | OPEN);
    if ((state & OPEN) != 0 && list != lastList) {
      if (atomic.cmpxchg<i32>(TEAM_STATE, state, state + 1) != state) continue;
      lastList = list;
      phase = load<u32>(LIST_PHASE);
      atWork = false;
      return;
    }
    if (--spins < 0) sleep(TEAM_STATE, state, TEAM_SLEEPERS, FOREVER);
  }
}

/** A worker's part: it has come to the end of the list. */
export function leaveTeam(): void {
  const state = atomic.sub<i32>(TEAM_STATE, 1) - 1;
  if ((state & (MEMBERS | OPEN)) == 0 && atomic.load<i32>(TEAM_SLEEPERS) != 0) atomic.notify(TEAM_STATE);
}

/** Makes every thread that waits for this one trap instead of waiting for ever. */
export function failTeam(): void {
  atomic.store<i32>(FAILED, 1);
  atomic.notify(PHASE_STATE + 4);
  atomic.notify(TEAM_STATE);
}

@inline
function phaseOf(state: u64): u32 {
  return <u32>(state >> 40);
}

function awaitPhaseEnd(): void {
  let spins = SPINS;
  for (;;) {
    const state = atomic.load<u64>(PHASE_STATE);
    if (phaseOf(state) != phase) return;
    if (--spins < 0) sleep(PHASE_STATE + 4, <i32>(state >> 32), PHASE_SLEEPERS, PATIENCE);
  }
}

/** Sleeps while the word at `address` is `value`. Counting sleepers first lets whoever changes it skip the call that wakes nobody. */
function sleep(address: usize, value: i32, sleepers: usize, timeout: i64): void {
  if (atomic.load<i32>(FAILED) != 0) unreachable();
  // A page's main thread is not allowed to sleep; it goes on looking.
  if (!maySleep) return;
  atomic.add<i32>(sleepers, 1);
  atomic.wait<i32>(address, value, timeout);
  atomic.sub<i32>(sleepers, 1);
}
