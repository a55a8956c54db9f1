/** Element types. Every element takes four bytes on a device; bool is stored as 0 or 1 in a uint32. */

export type DType = 'float32' | 'int32' | 'uint32' | 'bool';

/** Host data as a device takes and gives it. The reference device works in float64 and gives Float64Array for float32. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint32Array;

export const BYTES_PER_ELEMENT = 4;
