// reduce: sums or maxima of a program's result over the middle dimension of an index space [outer, rows, inner].
//
// The device orders the dimensions so that every reduction has this form (cpu/reduce.ts). Work is cut into tasks of whole
// outputs, or, where outputs are few, into slices of rows whose partial results a second phase combines in order. Within
// a task, columns add up in float32 for at most FLUSH rows and then in float64, so that long sums stay accurate.

import { outputOf, sizesOf } from './command';
import { threadMemory } from './thread-memory';
import * as op from './opcodes';
import { bind, blockSize, evaluate, result } from './program';
import { barrier, claim } from './threads';

// Sizes, in bytes.
const REDUCTION: usize = 0;
const OUTER: usize = 4;
const ROWS: usize = 8;
const INNER: usize = 12;
/** Columns of a task, and how many such tiles make `inner`. With more than one tile a block is part of one row. */
const TILE: usize = 16;
const TILES: usize = 20;
const SLICES: usize = 24;
const SLICE_ROWS: usize = 28;
/** Outer indices of a task; 1 where there are slices. */
const GROUP: usize = 32;
/** Where a thread's memory has room for a tile of float32 and a tile of 8-byte cells. */
const ACCUMULATORS: usize = 36;
/** f64: sums of floats are divided by this. */
const DIVISOR: usize = 40;

const FLUSH: i32 = 128;
/** Outputs that one task of the second phase combines. */
const COMBINE: u32 = 512;

/** Partial results of slices are 8-byte cells in scratch memory: slice s of output i at s * outputs + i. */
export function reduce(command: usize, scratch: usize, thread: i32): void {
  const sizes = sizesOf(command);
  switch (load<i32>(sizes, REDUCTION)) {
    case op.REDUCE_SUM_F:
      return reduceBy<SumF, f64>(command, sizes, scratch, thread);
    case op.REDUCE_MAX_F:
      return reduceBy<MaxF, f64>(command, sizes, scratch, thread);
    case op.REDUCE_SUM_I:
      return reduceBy<SumI, i64>(command, sizes, scratch, thread);
    case op.REDUCE_MAX_S:
      return reduceBy<MaxS, i64>(command, sizes, scratch, thread);
    default:
      return reduceBy<MaxU, i64>(command, sizes, scratch, thread);
  }
}

/** `Op` reduces lanes and, widened to `T`, cells. */
function reduceBy<Op, T>(command: usize, sizes: usize, scratch: usize, thread: i32): void {
  const outer = load<u32>(sizes, OUTER);
  const tiles = load<u32>(sizes, TILES);
  const slices = load<u32>(sizes, SLICES);
  const group = load<u32>(sizes, GROUP);
  const tasks = ((outer + group - 1) / group) * tiles * slices;
  for (;;) {
    const task = <u32>claim();
    if (task >= tasks) break;
    bind(command, thread);
    const slice = task % slices;
    const tile = (task / slices) % tiles;
    reduceTask<Op, T>(command, sizes, scratch, thread, (task / slices / tiles) * group, tile, slice);
  }
  barrier();
  if (slices == 1) return;

  const outputs = outer * load<u32>(sizes, INNER);
  for (;;) {
    const task = <u32>claim();
    if (task >= (outputs + COMBINE - 1) / COMBINE) break;
    const end = min(task * COMBINE + COMBINE, outputs);
    for (let i = task * COMBINE; i < end; i++) combineSlices<Op, T>(command, sizes, scratch, outputs, slices, i);
  }
  barrier();
}

function reduceTask<Op, T>(
  command: usize,
  sizes: usize,
  scratch: usize,
  thread: i32,
  outerBegin: u32,
  tile: u32,
  slice: u32,
): void {
  const by = changetype<Op>(0);
  const outer = load<u32>(sizes, OUTER);
  const rows = load<u32>(sizes, ROWS);
  const inner = load<u32>(sizes, INNER);
  const slices = load<u32>(sizes, SLICES);
  const outerEnd = min(outerBegin + load<u32>(sizes, GROUP), outer);
  const rowBegin = slice * load<u32>(sizes, SLICE_ROWS);
  const rowEnd = min(rowBegin + load<u32>(sizes, SLICE_ROWS), rows);
  const columnBegin = tile * load<u32>(sizes, TILE);
  const width = min(load<u32>(sizes, TILE), inner - columnBegin);
  const blockRows = width < inner ? 1 : <u32>blockSize() / width;

  const lanes = threadMemory(thread) + load<u32>(sizes, ACCUMULATORS);
  const cells = lanes + ((<usize>width * 4 + 15) & ~15);

  // Rows are numbered through all outer indices; windowBegin to windowEnd are those evaluated last.
  const lastRow = (outerEnd - 1) * rows + rowEnd;
  let windowBegin: u32 = 0;
  let windowEnd: u32 = 0;
  for (let o = outerBegin; o < outerEnd; o++) {
    reset<Op, T>(lanes, cells, width);
    let unflushed = 0;
    let row = o * rows + rowBegin;
    const end = o * rows + rowEnd;
    while (row < end) {
      if (row >= windowEnd) {
        windowBegin = row;
        windowEnd = min(row + blockRows, lastRow);
        evaluate(<usize>row * inner + columnBegin, (windowEnd - row) * width);
      }
      const count = min(end, windowEnd) - row;
      const block = result() + ((<usize>(row - windowBegin) * width) << 2);
      if (width == 1) {
        store<T>(cells, by.combine(load<T>(cells), by.widen(reduceRun<Op>(block, count))));
      } else {
        addRows<Op>(lanes, block, count, width);
        unflushed += count;
        if (unflushed >= FLUSH) {
          flush<Op, T>(lanes, cells, width);
          unflushed = 0;
        }
      }
      row += count;
    }
    if (unflushed > 0) flush<Op, T>(lanes, cells, width);

    const first = o * inner + columnBegin;
    if (slices > 1) {
      memory.copy(scratch + ((<usize>slice * outer * inner + first) << 3), cells, <usize>width << 3);
    } else {
      const output = outputOf(command, 0) + (<usize>first << 2);
      for (let j: u32 = 0; j < width; j++) {
        by.finish(output + (<usize>j << 2), load<T>(cells + (<usize>j << 3)), load<f64>(sizes, DIVISOR));
      }
    }
  }
}

function combineSlices<Op, T>(
  command: usize,
  sizes: usize,
  scratch: usize,
  outputs: u32,
  slices: u32,
  i: u32,
): void {
  const by = changetype<Op>(0);
  let cell = load<T>(scratch + (<usize>i << 3));
  for (let s: u32 = 1; s < slices; s++) {
    cell = by.combine(cell, load<T>(scratch + ((<usize>s * outputs + i) << 3)));
  }
  by.finish(outputOf(command, 0) + (<usize>i << 2), cell, load<f64>(sizes, DIVISOR));
}

function reset<Op, T>(lanes: usize, cells: usize, width: u32): void {
  const by = changetype<Op>(0);
  for (let j: u32 = 0; j < width; j++) {
    store<T>(cells + (<usize>j << 3), by.widen(by.identity()));
    v128.store32_lane(lanes + (<usize>j << 2), by.identity(), 0);
  }
}

/** Adds the float32 columns to the cells and starts them again. */
function flush<Op, T>(lanes: usize, cells: usize, width: u32): void {
  const by = changetype<Op>(0);
  for (let j: u32 = 0; j < width; j++) {
    const lane = lanes + (<usize>j << 2);
    const cell = cells + (<usize>j << 3);
    store<T>(cell, by.combine(load<T>(cell), by.widen(v128.load32_zero(lane))));
    v128.store32_lane(lane, by.identity(), 0);
  }
}

/** lanes[j] = op(lanes[j], block[0][j], block[1][j], ...). */
function addRows<Op>(lanes: usize, block: usize, rows: u32, width: u32): void {
  const by = changetype<Op>(0);
  const stride = <usize>width << 2;
  const end = block + <usize>rows * stride;
  let column: u32 = 0;
  for (; column + 8 <= width; column += 8) {
    const offset = <usize>column << 2;
    let a = v128.load(lanes + offset);
    let b = v128.load(lanes + offset, 16);
    for (let row = block; row < end; row += stride) {
      a = by.apply(a, v128.load(row + offset));
      b = by.apply(b, v128.load(row + offset, 16));
    }
    v128.store(lanes + offset, a);
    v128.store(lanes + offset, b, 16);
  }
  for (; column + 4 <= width; column += 4) {
    const offset = <usize>column << 2;
    let a = v128.load(lanes + offset);
    for (let row = block; row < end; row += stride) a = by.apply(a, v128.load(row + offset));
    v128.store(lanes + offset, a);
  }
  for (; column < width; column++) {
    const offset = <usize>column << 2;
    let a = v128.load32_zero(lanes + offset);
    for (let row = block; row < end; row += stride) a = by.apply(a, v128.load32_zero(row + offset));
    v128.store32_lane(lanes + offset, a, 0);
  }
}

/** The reduction of `count` elements side by side, in lane 0. */
function reduceRun<Op>(block: usize, count: u32): v128 {
  const by = changetype<Op>(0);
  let a = by.identity();
  let b = a;
  let c = a;
  let d = a;
  let pointer = block;
  const end16 = block + (<usize>(count & ~15) << 2);
  for (; pointer != end16; pointer += 64) {
    a = by.apply(a, v128.load(pointer));
    b = by.apply(b, v128.load(pointer, 16));
    c = by.apply(c, v128.load(pointer, 32));
    d = by.apply(d, v128.load(pointer, 48));
  }
  const end4 = block + (<usize>(count & ~3) << 2);
  for (; pointer != end4; pointer += 16) a = by.apply(a, v128.load(pointer));
  const sum = by.apply(by.apply(a, b), by.apply(c, d));
  const pairs = by.apply(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1));
  let total = by.apply(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2));
  const end = block + (<usize>count << 2);
  for (; pointer != end; pointer += 4) total = by.apply(total, v128.load32_zero(pointer));
  return total;
}

// The reductions. `apply` works on lanes, `combine` on cells, `widen` takes lane 0 to a cell, `finish` stores a result.

@unmanaged
class SumF {
  @inline
  identity(): v128 {
    return f32x4.splat(0.0);
  }
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
  @inline
  combine(a: f64, b: f64): f64 {
    return a + b;
  }
  @inline
  widen(a: v128): f64 {
    return <f64>f32x4.extract_lane(a, 0);
  }
  @inline
  finish(output: usize, cell: f64, divisor: f64): void {
    store<f32>(output, <f32>(cell / divisor));
  }
}

@unmanaged
class MaxF {
  @inline
  identity(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
  @inline
  combine(a: f64, b: f64): f64 {
    return max(a, b);
  }
  @inline
  widen(a: v128): f64 {
    return <f64>f32x4.extract_lane(a, 0);
  }
  @inline
  finish(output: usize, cell: f64, _divisor: f64): void {
    store<f32>(output, <f32>cell);
  }
}

@unmanaged
class SumI {
  @inline
  identity(): v128 {
    return i32x4.splat(0);
  }
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
  @inline
  combine(a: i64, b: i64): i64 {
    return a + b;
  }
  @inline
  widen(a: v128): i64 {
    return <i64>i32x4.extract_lane(a, 0);
  }
  @inline
  finish(output: usize, cell: i64, _divisor: f64): void {
    store<i32>(output, <i32>cell);
  }
}

@unmanaged
class MaxS {
  @inline
  identity(): v128 {
    return i32x4.splat(i32.MIN_VALUE);
  }
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_s(a, b);
  }
  @inline
  combine(a: i64, b: i64): i64 {
    return max(a, b);
  }
  @inline
  widen(a: v128): i64 {
    return <i64>i32x4.extract_lane(a, 0);
  }
  @inline
  finish(output: usize, cell: i64, _divisor: f64): void {
    store<i32>(output, <i32>cell);
  }
}

@unmanaged
class MaxU {
  @inline
  identity(): v128 {
    return i32x4.splat(0);
  }
  @inline
  apply(a: v128, b: v128): v128 {
    return i32x4.max_u(a, b);
  }
  @inline
  combine(a: i64, b: i64): i64 {
    return max(a, b);
  }
  @inline
  widen(a: v128): i64 {
    return <i64>(<u32>i32x4.extract_lane(a, 0));
  }
  @inline
  finish(output: usize, cell: i64, _divisor: f64): void {
    store<u32>(output, <u32>cell);
  }
}
