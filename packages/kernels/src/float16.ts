/** IEEE 754 binary16 on the host: rounding to nearest, ties to even, and the sixteen bits of a number. */

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** Largest finite float16. */
const LARGEST = 65504;
/** From here on numbers are nearer to 2^16, which float16 has not, than to the largest. */
const OVERFLOW = 65520;
const SMALLEST_NORMAL = 2 ** -14;
/** Distance between float16 numbers below the smallest normal one. */
const SMALLEST = 2 ** -24;

/** The float16 number nearest to `value`, of two equally near ones the even; infinity where that is beyond the largest. */
export function roundFloat16(value: number): number {
  const magnitude = Math.abs(value);
  if (!(magnitude < OVERFLOW))
    return Number.isNaN(value) ? value : Math.sign(value) * Number.POSITIVE_INFINITY;
  // Adding and subtracting 1.5 * 2^52 steps rounds to a whole number of steps, ties to even.
  const step = magnitude < SMALLEST_NORMAL ? SMALLEST : 2 ** (exponentOf(magnitude) - 10);
  const shift = 1.5 * 2 ** 52 * step;
  const rounded = magnitude + shift - shift;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** The sixteen bits of the float16 number nearest to `value`. A NaN becomes the quiet one. */
export function float16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const rounded = roundFloat16(value);
  const sign = rounded < 0 || Object.is(rounded, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(rounded);
  if (magnitude > LARGEST) return sign | 0x7c00;
  if (magnitude < SMALLEST_NORMAL) return sign | (magnitude / SMALLEST);
  const exponent = exponentOf(magnitude);
  return sign | ((exponent + 15) << 10) | (magnitude / 2 ** (exponent - 10) - 1024);
}

/** The number that sixteen bits stand for. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * SMALLEST;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** floor(log2) of a positive normal float64, from its bits: `Math.log2` may round up to a whole number. */
function exponentOf(magnitude: number): number {
  double[0] = magnitude;
  return (words[1] >>> 20) - 1023;
}
