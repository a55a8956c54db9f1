// Loads through views: fills a block with elements that do not lie side by side in the input, run by run along the innermost dimension.
//
// A view is described by words: rank, whether any range is restricted, byte offset of the first element, then for each
// dimension, outermost first: size, stride, first valid coordinate, end of the valid coordinates. Strides of a load are in
// bytes; an index (`LOAD_INDEX`) is computed by the same walk, "address" being the number itself.

/** Bytes of the description before the dimensions, and of each dimension. */
const HEADER: usize = 12;
const DIMENSION: usize = 16;

/** Elements begin to begin + count of the view's index space. `coordinates` is room for a word a dimension. */
export function loadView(view: usize, base: usize, target: usize, begin: usize, count: i32, coordinates: usize): void {
  walk<Elements>(view, base, target, begin, count, coordinates);
}

/** The same where the innermost dimension is a row again and again: its stride is the length of the row. */
export function loadRepeated(
  view: usize,
  base: usize,
  target: usize,
  begin: usize,
  count: i32,
  coordinates: usize,
): void {
  walk<Repetitions>(view, base, target, begin, count, coordinates);
}

/** The affine numbers of the same elements. */
export function loadIndex(view: usize, target: usize, begin: usize, count: i32, coordinates: usize): void {
  walk<Indices>(view, 0, target, begin, count, coordinates);
}

/**
 * Element i is base[i mod period]: a row repeated. The first repetition is gathered, the others are copied from the block itself.
 */
export function loadPeriodic(base: usize, period: i32, target: usize, begin: usize, count: i32): void {
  const phase = <i32>(<u32>begin % <u32>period);
  // A copy of vectors from less than four elements behind would read what it is about to write.
  const repeats = period < 4 ? 12 : period;
  const first = min(repeats, count);
  const head = min(period - phase, first);
  copyRun(target, base + (<usize>phase << 2), head);
  for (let done = head; done < first; done += period) {
    copyRun(target + (<usize>done << 2), base, min(period, first - done));
  }
  const end = target + (<usize>count << 2);
  const distance = <usize>repeats << 2;
  for (let to = target + distance; to < end; to += 16) v128.store(to, v128.load(to - distance));
}

function walk<Kind>(view: usize, base: usize, target: usize, begin: usize, count: i32, coordinates: usize): void {
  const kind = changetype<Kind>(0);
  const rank = load<i32>(view);
  const restricted = load<i32>(view, 4) != 0;
  const inner = view + HEADER + <usize>(rank - 1) * DIMENSION;
  const innerSize = load<i32>(inner);
  const innerStride = load<i32>(inner, 4);
  const innerBegin = load<i32>(inner, 8);
  const innerEnd = load<i32>(inner, 12);

  // `row` is the address of coordinate 0 of the innermost dimension.
  let row = base + load<u32>(view, 8);
  let rest = <u32>begin;
  let position = <i32>(rest % <u32>innerSize);
  rest /= <u32>innerSize;
  for (let d = rank - 2; d >= 0; d--) {
    const dimension = view + HEADER + <usize>d * DIMENSION;
    const size = load<u32>(dimension);
    const coordinate = rest % size;
    rest /= size;
    store<u32>(coordinates + (<usize>d << 2), coordinate);
    row += coordinate * load<u32>(dimension, 4);
  }

  for (;;) {
    const length = min(innerSize - position, count);
    if (!restricted) {
      kind.run(target, row, position, innerStride, length);
    } else if (!isValid(view, rank, coordinates)) {
      fillRun(target, 0, length);
    } else {
      const from = min(max(innerBegin - position, 0), length);
      const to = min(max(innerEnd - position, from), length);
      if (from > 0) fillRun(target, 0, from);
      kind.run(target + (<usize>from << 2), row, position + from, innerStride, to - from);
      if (to < length) fillRun(target + (<usize>to << 2), 0, length - to);
    }
    count -= length;
    if (count == 0) return;
    target += <usize>length << 2;
    position = 0;
    for (let d = rank - 2; d >= 0; d--) {
      const dimension = view + HEADER + <usize>d * DIMENSION;
      const stride = load<u32>(dimension, 4);
      const coordinate = load<u32>(coordinates + (<usize>d << 2)) + 1;
      row += stride;
      if (coordinate < load<u32>(dimension)) {
        store<u32>(coordinates + (<usize>d << 2), coordinate);
        break;
      }
      store<u32>(coordinates + (<usize>d << 2), 0);
      row -= stride * coordinate;
    }
  }
}

/** Whether the coordinates of the outer dimensions lie in their valid ranges. */
function isValid(view: usize, rank: i32, coordinates: usize): bool {
  for (let d = 0; d < rank - 1; d++) {
    const dimension = view + HEADER + <usize>d * DIMENSION;
    const coordinate = load<i32>(coordinates + (<usize>d << 2));
    if (coordinate < load<i32>(dimension, 8) || coordinate >= load<i32>(dimension, 12)) return false;
  }
  return true;
}

/** A run along the innermost dimension, from `position` on. Runs may write up to three elements past their end. */
@unmanaged
class Elements {
  @inline
  run(target: usize, row: usize, position: i32, stride: i32, length: i32): void {
    const source = row + <usize>(position * stride);
    if (stride == 4) copyRun(target, source, length);
    else if (stride == 0) fillRun(target, length > 0 ? load<u32>(source) : 0, length);
    else gatherRun(target, source, stride, length);
  }
}

@unmanaged
class Repetitions {
  @inline
  run(target: usize, row: usize, position: i32, rowBytes: i32, length: i32): void {
    loadPeriodic(row, rowBytes >> 2, target, position, length);
  }
}

@unmanaged
class Indices {
  @inline
  run(target: usize, row: usize, position: i32, stride: i32, length: i32): void {
    let values = i32x4.add(
      i32x4.splat(<i32>row + position * stride),
      i32x4.mul(i32x4.splat(stride), i32x4(0, 1, 2, 3)),
    );
    const step = i32x4.splat(stride << 2);
    const end = target + (<usize>length << 2);
    for (; target < end; target += 16) {
      v128.store(target, values);
      values = i32x4.add(values, step);
    }
  }
}

@inline
function copyRun(target: usize, source: usize, length: i32): void {
  const end = target + (<usize>length << 2);
  for (; target < end; target += 16) {
    v128.store(target, v128.load(source));
    source += 16;
  }
}

function gatherRun(target: usize, source: usize, stride: i32, length: i32): void {
  const end = target + (<usize>length << 2);
  for (; target != end; target += 4) {
    store<u32>(target, load<u32>(source));
    source += stride;
  }
}

function fillRun(target: usize, value: u32, length: i32): void {
  const values = i32x4.splat(value);
  const end = target + (<usize>length << 2);
  for (; target < end; target += 16) v128.store(target, values);
}
