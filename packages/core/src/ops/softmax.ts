/**
 * Softmax. The kernel works on rows; its gradient dx = y * (dy - sum(y * dy)) is composed, so derivatives of any order follow.
 */

import { elementCount } from '@dmpo/kernels';
import type { Tensor } from '../tensor.js';
import { normalizeAxis } from './axes.js';
import { call } from './call.js';
import { swapAxes } from './movement.js';
import { logsumexp } from './reduce.js';

/** exp(x) / sum(exp(x)) along an axis, stable for any x. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const last = x.shape.length - 1;
  const at = normalizeAxis('softmax', axis, x.shape.length);
  if (at !== last) return swapAxes(softmax(swapAxes(x, at, last)), at, last);
  const columns = x.shape[last] as number;
  const [y] = call({
    kernel: { kind: 'softmax', rows: elementCount(x.shape) / columns, columns },
    inputs: [x],
    outputShapes: [x.shape],
    gradient: ([g], _inputs, [output]) => {
      const [dy, y] = [g as Tensor, output as Tensor];
      return [y.mul(dy.sub(y.mul(dy).sum(-1, true)))];
    },
  });
  return y as Tensor;
}

/** log(softmax(x)), stable for any x. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return x.sub(logsumexp(x, axis, true));
}
