/** The 32-bit words in which programs, kernels and commands are written. */

const single = new Float32Array(1);
const double = new Float64Array(1);

/** The word that holds `value` rounded to float32. */
export function float32Word(value: number): number {
  single[0] = value;
  return new Uint32Array(single.buffer)[0];
}

/** The two words of a float64, low word first. */
export function float64Words(value: number): [number, number] {
  double[0] = value;
  const [low, high] = new Uint32Array(double.buffer);
  return [low, high];
}
