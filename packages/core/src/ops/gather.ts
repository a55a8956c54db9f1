/**
 * Rows of a table by index, the forward pass of an embedding. Gradient: each table row gets the sum of the gradients of the
 * places that read it; that kernel's own gradient is a gather again.
 */

import { elementCount } from '@dmpo/kernels';
import { shapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { call } from './call.js';

/** table [rows, columns], indices int32 [...] -> [..., columns]. An index outside the table gives a row of NaN. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  if (table.shape.length !== 2)
    throw shapeError('gather', [table.shape], 'The table must be [rows, columns].');
  const [rows, columns] = table.shape as [number, number];
  const sizes = { rows, columns, count: elementCount(indices.shape) };
  const read = (table: Tensor): Tensor =>
    call({
      kernel: { kind: 'gather', ...sizes },
      inputs: [table, indices],
      inputTypes: ['float32', 'int32'],
      outputShapes: [[...indices.shape, columns]],
      gradient: ([g]) => [scatter(g as Tensor)],
    })[0] as Tensor;
  const scatter = (dy: Tensor): Tensor =>
    call({
      kernel: { kind: 'gatherGrad', ...sizes },
      inputs: [dy, indices],
      inputTypes: ['float32', 'int32'],
      outputShapes: [[rows, columns]],
      gradient: ([g]) => [read(g as Tensor)],
    })[0] as Tensor;
  return read(table);
}
