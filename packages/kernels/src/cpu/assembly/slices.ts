// Sums over work that was cut into slices: each slice leaves its partial sums in scratch memory, and they are
// added in the order of the slices, so that the result does not depend on who computed which.

/**
 * destination[i] = partials[0][i] + partials[1][i] + ... for begin <= i < end; partials are `stride` floats
 * apart.
 */
export function sumSlices(
  partials: usize,
  destination: usize,
  begin: i32,
  end: i32,
  stride: i32,
  slices: i32,
): void {
  const step = (<usize>stride) << 2;
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    let from = partials + ((<usize>i) << 2);
    let sum = v128.load(from);
    for (let slice = 1; slice < slices; slice++) {
      from += step;
      sum = f32x4.add(sum, v128.load(from));
    }
    v128.store(destination + ((<usize>i) << 2), sum);
  }
  for (; i < end; i++) {
    let from = partials + ((<usize>i) << 2);
    let sum = load<f32>(from);
    for (let slice = 1; slice < slices; slice++) {
      from += step;
      sum += load<f32>(from);
    }
    store<f32>(destination + ((<usize>i) << 2), sum);
  }
}
