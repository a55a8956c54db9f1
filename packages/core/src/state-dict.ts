/** Checks that named tensors from a file fit what is there to receive them, and says everything that is wrong at once. */

import { DmpoError, formatShape } from './errors.js';
import type { Shape } from './graph.js';
import { sameShape } from './ops/axes.js';
import type { Tensor } from './tensor.js';

/** Throws `STATE_DICT_MISMATCH`, naming all missing, unexpected and misshapen tensors, unless there is exactly one per shape. */
export function checkStateDict(
  owner: string,
  tensors: ReadonlyMap<string, Tensor>,
  shapes: ReadonlyMap<string, Shape>,
): void {
  const missing = [...shapes.keys()].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  const misshapen = [...shapes].flatMap(([name, shape]) => {
    const tensor = tensors.get(name);
    if (!tensor || (sameShape(tensor.shape, shape) && tensor.dtype === 'float32')) return [];
    return [
      `${name} is ${tensor.dtype} ${formatShape(tensor.shape)} instead of float32 ${formatShape(shape)}`,
    ];
  });
  const problems = [
    ...(missing.length > 0 ? [`Missing: ${missing.join(', ')}.`] : []),
    ...(unexpected.length > 0 ? [`Unexpected: ${unexpected.join(', ')}.`] : []),
    ...(misshapen.length > 0 ? [`Misshapen: ${misshapen.join('; ')}.`] : []),
  ];
  if (problems.length === 0) return;
  throw new DmpoError(
    'STATE_DICT_MISMATCH',
    `The tensors do not fit ${owner}. ${problems.join(' ')}`,
    'Check that the file belongs to this configuration.',
  );
}
