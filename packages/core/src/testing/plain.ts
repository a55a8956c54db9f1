/** Arrays of any rank in plain float64 arithmetic, index by index: what tensors are compared with. */

export interface PlainArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float64Array;
}

export const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Every index of a shape, in row-major order. */
export function* indicesOf(shape: readonly number[]): Generator<number[]> {
  const index = shape.map(() => 0);
  for (let position = count(shape); position > 0; position--) {
    yield [...index];
    for (let d = shape.length - 1; d >= 0 && ++index[d] === shape[d]; d--) index[d] = 0;
  }
}

/** The array whose element at each index is given by a function of the index. */
export function fromIndices(shape: readonly number[], at: (index: number[]) => number): PlainArray {
  return { shape, data: Float64Array.from(indicesOf(shape), at) };
}

export function fromFlat(shape: readonly number[], data: ArrayLike<number>): PlainArray {
  return { shape, data: Float64Array.from(data) };
}

/** The element at an index of a shape that the array broadcasts to. */
export function element({ shape, data }: PlainArray, index: readonly number[]): number {
  const skipped = index.length - shape.length;
  const position = shape.reduce((sum, size, d) => sum * size + (size === 1 ? 0 : index[d + skipped]), 0);
  return data[position];
}

/** Applies a function element by element, broadcasting as NumPy does. */
export function zip(fn: (...values: number[]) => number, ...arrays: PlainArray[]): PlainArray {
  const rank = Math.max(...arrays.map(({ shape }) => shape.length));
  const shape = Array.from({ length: rank }, (_, d) =>
    Math.max(...arrays.map((array) => array.shape[d - rank + array.shape.length] ?? 1)),
  );
  return fromIndices(shape, (index) => fn(...arrays.map((array) => element(array, index))));
}

/** Reduces over some axes by a function of all values there, in row-major order. */
export function fold(
  array: PlainArray,
  axes: readonly number[],
  fn: (values: number[]) => number,
  keepDims = false,
): PlainArray {
  const reduced = array.shape.map((size, d) => (axes.includes(d) ? size : 1));
  const kept = array.shape.map((size, d) => (axes.includes(d) ? 1 : size));
  const result = fromIndices(kept, (index) =>
    fn(
      Array.from(indicesOf(reduced), (inner) =>
        element(
          array,
          index.map((i, d) => i + inner[d]),
        ),
      ),
    ),
  );
  return keepDims ? result : { shape: array.shape.filter((_, d) => !axes.includes(d)), data: result.data };
}

export const reshape = ({ data }: PlainArray, shape: readonly number[]): PlainArray => ({ shape, data });

export function permute(array: PlainArray, axes: readonly number[]): PlainArray {
  const shape = axes.map((axis) => array.shape[axis]);
  return fromIndices(shape, (index) => {
    const source = array.shape.map(() => 0);
    axes.forEach((axis, d) => {
      source[axis] = index[d];
    });
    return element(array, source);
  });
}

export const broadcastTo = (array: PlainArray, shape: readonly number[]): PlainArray =>
  fromIndices(shape, (index) => element(array, index));

export const slice = (array: PlainArray, begin: readonly number[], shape: readonly number[]): PlainArray =>
  fromIndices(shape, (index) =>
    element(
      array,
      index.map((i, d) => i + begin[d]),
    ),
  );

export function pad(array: PlainArray, amounts: readonly (readonly [number, number])[]): PlainArray {
  const shape = array.shape.map((size, d) => size + amounts[d][0] + amounts[d][1]);
  return fromIndices(shape, (index) => {
    const source = index.map((i, d) => i - amounts[d][0]);
    const inside = source.every((i, d) => i >= 0 && i < array.shape[d]);
    return inside ? element(array, source) : 0;
  });
}

export function concat(arrays: readonly PlainArray[], axis: number): PlainArray {
  const shape = [...arrays[0].shape];
  shape[axis] = arrays.reduce((sum, array) => sum + array.shape[axis], 0);
  return fromIndices(shape, (index) => {
    let at = index[axis];
    for (const array of arrays) {
      if (at < array.shape[axis]) return element(array, index.with(axis, at));
      at -= array.shape[axis];
    }
    throw new RangeError('an index beyond the last array');
  });
}

/** [..., m, k] x [..., k, n] with broadcast leading axes. */
export function matmul(a: PlainArray, b: PlainArray): PlainArray {
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.shape.length - 1];
  const rank = Math.max(a.shape.length, b.shape.length) - 2;
  const leading = Array.from({ length: rank }, (_, d) =>
    Math.max(a.shape[d - rank + a.shape.length - 2] ?? 1, b.shape[d - rank + b.shape.length - 2] ?? 1),
  );
  return fromIndices([...leading, m, n], (index) => {
    const [row, column] = index.slice(-2);
    const outer = index.slice(0, -2);
    let sum = 0;
    for (let i = 0; i < k; i++) sum += element(a, [...outer, row, i]) * element(b, [...outer, i, column]);
    return sum;
  });
}
