/** Tensors whose every element is one number. */

import type { DType } from '@dmpo/kernels';
import { nextId, type Shape } from '../graph.js';
import { Tensor } from '../tensor.js';

/** A number that belongs to the program's structure (the 1 that starts a gradient); see ConstantNode. */
export function constant(value: number, shape: Shape = [], dtype: DType = 'float32'): Tensor {
  return new Tensor({ kind: 'constant', id: nextId(), shape, dtype, value });
}

/** A number that is data; see ScalarNode. */
export function scalar(value: number, shape: Shape = [], dtype: DType = 'float32'): Tensor {
  return new Tensor({ kind: 'scalar', id: nextId(), shape, dtype, value });
}
