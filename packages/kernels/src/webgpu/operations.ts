/** Writes one pointwise operation as WGSL, over scalars or vectors of four. */

import type { DType } from '../dtype.js';
import { type PointwiseOp, pointwiseTable } from '../pointwise.js';
import { type Width, wgslType } from './wgsl.js';

/** The operation on arguments that are WGSL values of this width; `argument` is the dtype of the (second, for where) argument. */
export function operationText(
  op: PointwiseOp,
  dtype: DType,
  argument: DType,
  width: Width,
  args: readonly string[],
): string {
  const text = templateOf(op, argument)
    .replace(/\bT\b/g, wgslType(argument, width))
    .replace(/\bU\b/g, wgslType('uint32', width))
    .replace(/\b[FI]\b/g, wgslType(dtype, width))
    .replace(/\bdmpo_\w+/g, (name) => (width === 4 ? `${name}_4` : name));
  return text.replace(/\b[abc]\b/g, (letter) => args['abc'.indexOf(letter)]);
}

/**
 * The table's template, or what WGSL needs in its place: operators that some dtype lacks, vectors beside scalars, and the table's
 * word on NaN where WGSL has none. T is the type of the arguments, U that of bool and uint32, F and I that of the result.
 */
function templateOf(op: PointwiseOp, argument: DType): string {
  const isFloat = argument === 'float32';
  const isUnsigned = argument === 'uint32' || argument === 'bool';
  switch (op) {
    case 'min':
    case 'max':
      return isFloat ? `dmpo_${op}(a, b)` : `${op}(a, b)`;
    case 'neg':
      return isUnsigned ? 'T() - a' : '-a';
    case 'sign':
      if (isFloat) return 'dmpo_sign(a)';
      return isUnsigned ? 'min(a, T(1))' : 'sign(a)';
    case 'pow':
    case 'exp':
    case 'log':
    case 'sin':
    case 'cos':
      return `dmpo_${op}(${op === 'pow' ? 'a, b' : 'a'})`;
    case 'lt':
    case 'le':
    case 'eq':
    case 'ne':
      return isFloat ? `U(dmpo_${op}(a, b))` : `U(${pointwiseTable[op].wgsl})`;
    case 'not':
      return 'U(1) - a';
    case 'where':
      return 'select(c, b, a != U())';
    case 'toFloat32':
      if (isFloat) return 'a';
      return argument === 'uint32' ? 'dmpo_from_uint(a)' : 'F(a)';
    case 'toInt32':
    case 'toUint32':
      return isFloat ? `dmpo_${op === 'toInt32' ? 'to_int' : 'to_uint'}(a)` : 'I(a)';
    case 'toBool':
      if (isFloat) return 'U((bitcast<U>(a) & U(0x7fffffff)) != U())';
      return argument === 'bool' ? 'a' : 'U(a != T())';
    default:
      return pointwiseTable[op].wgsl;
  }
}
