/**
 * Element types. float16 is for storage only: kernels read it as float32, compute in float32, and round what they store to the
 * nearest, ties to even, beyond the largest to infinity. bool is stored as 0 or 1 in a uint32.
 */

export type DType = 'float32' | 'int32' | 'uint32' | 'bool' | 'float16';

/** Host data as a device takes and gives it: float16 as Float32Array. The reference device gives Float64Array for float32. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint32Array;

/** Bytes that an element takes on a device. */
export const bytesPerElement = {
  float32: 4,
  int32: 4,
  uint32: 4,
  bool: 4,
  float16: 2,
} as const satisfies Record<DType, number>;

/** Bytes of what every device computes with. */
export const WORD_BYTES = 4;
