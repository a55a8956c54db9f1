/**
 * Second derivatives of fused operations. The gradient kernel of a fused operation is itself an operation; its gradient is that
 * of the composed formula, built on fresh nodes so that only this formula is differentiated and not what lies before it.
 */

import { vjp } from '../grad.js';
import type { Tensor } from '../tensor.js';
import { constant } from './constant.js';
import { alias } from './movement.js';

/** The gradient, with respect to `inputs`, of the outputs of `composed(inputs)` weighted by `cotangents`. */
export function composedGradient(
  composed: (inputs: readonly Tensor[]) => readonly Tensor[],
  inputs: readonly Tensor[],
  cotangents: readonly (Tensor | undefined)[],
): (Tensor | undefined)[] {
  const fresh = inputs.map(alias);
  const outputs = composed(fresh);
  const used = outputs.flatMap((output, i) => (cotangents[i] ? [[output, cotangents[i]] as const] : []));
  return vjp(
    used.map(([output]) => output),
    used.map(([, cotangent]) => cotangent),
    fresh,
  );
}

/** The gradient of `composed` at `inputs[1..]`, weighted by `inputs[0]`: what a gradient kernel computes, in primitives. */
export function composedFirstGradient(composed: (inputs: readonly Tensor[]) => Tensor) {
  return ([dy, ...inputs]: readonly Tensor[]): Tensor[] => {
    const fresh = inputs.map(alias);
    const gradients = vjp([composed(fresh)], [dy as Tensor], fresh);
    return gradients.map((gradient, i) => gradient ?? constant(0, (fresh[i] as Tensor).shape));
  };
}
