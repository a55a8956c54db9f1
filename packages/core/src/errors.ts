/** Errors that several operations raise, worded in one place. */

import { DmpoError } from '@dmpo/kernels';
import type { Shape } from './graph.js';

export { DmpoError };

export const formatShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** An operation was given operands whose shapes do not fit its rule. */
export function shapeError(operation: string, shapes: readonly Shape[], rule: string): DmpoError {
  return new DmpoError('SHAPE_MISMATCH', `${operation}: got ${shapes.map(formatShape).join(' and ')}.`, rule);
}

/** An operation was given operands of the wrong element type. */
export function dtypeError(operation: string, dtypes: readonly string[], rule: string): DmpoError {
  return new DmpoError('DTYPE_MISMATCH', `${operation}: got ${dtypes.join(' and ')}.`, rule);
}

/** An argument that is not a tensor is out of its range. */
export function argumentError(operation: string, problem: string, rule: string): DmpoError {
  return new DmpoError('BAD_ARGUMENT', `${operation}: ${problem}.`, rule);
}
