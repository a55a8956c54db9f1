/** The 32-bit words in which devices write numbers. */

import type { DType } from './dtype.js';

const single = new Float32Array(1);
const singleWord = new Uint32Array(single.buffer);
const double = new Float64Array(1);

/** The word that holds `value` rounded to float32. */
export function float32Word(value: number): number {
  single[0] = value;
  return singleWord[0];
}

/** The two words of a float64, low word first. */
export function float64Words(value: number): [number, number] {
  double[0] = value;
  const [low, high] = new Uint32Array(double.buffer);
  return [low, high];
}

/** The word in which a kernel is given `value` of `dtype`, which it computes with as float32 if it is float16. */
export function elementWord(value: number, dtype: DType): number {
  switch (dtype) {
    case 'float32':
    case 'float16':
      return float32Word(value);
    case 'int32':
    case 'uint32':
      return value >>> 0;
    case 'bool':
      return value !== 0 ? 1 : 0;
    default:
      return dtype satisfies never;
  }
}
