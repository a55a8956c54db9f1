/** The gradient of every pointwise operation, one row each: the gradient g of the result y, as gradients of a, b, c. */

import type { PointwiseOp } from '@dmpo/kernels';
import type { Tensor } from '../tensor.js';
import { cast, where } from './pointwise.js';

type Gradients = readonly (Tensor | undefined)[];
type Rule = (g: Tensor, y: Tensor, a: Tensor, b: Tensor, c: Tensor) => Gradients;

const none: Rule = () => [];

export const pointwiseGradients: { readonly [op in PointwiseOp]: Rule } = {
  add: (g) => [g, g],
  sub: (g) => [g, g.neg()],
  mul: (g, _y, a, b) => [g.mul(b), g.mul(a)],
  // At a tie each operand gets half, so that max(x, x) has the gradient of x.
  min: (g, _y, a, b) => share(g, a.lt(b), a.eq(b)),
  max: (g, _y, a, b) => share(g, a.gt(b), a.eq(b)),
  neg: (g) => [g.neg()],
  abs: (g, _y, a) => [g.mul(a.sign())],
  sign: none,

  div: (g, y, _a, b) => [g.div(b), g.mul(y).div(b).neg()],
  // The derivative by the exponent has no value at a <= 0; it is 0 there, so that x.pow(2) is safe everywhere. x.pow(0) is
  // constant, at 0 too, where the formula would be 0 * infinity.
  pow: (g, y, a, b) => [
    where(b.eq(0), 0, g.mul(b).mul(a.pow(b.sub(1)))),
    where(a.gt(0), g.mul(y).mul(where(a.gt(0), a, 1).log()), 0),
  ],
  floor: none,
  ceil: none,
  exp: (g, y) => [g.mul(y)],
  log: (g, _y, a) => [g.div(a)],
  log1p: (g, _y, a) => [g.div(a.add(1))],
  sqrt: (g, y) => [g.div(y).mul(0.5)],
  rsqrt: (g, y) => [g.mul(y).mul(y).mul(y).mul(-0.5)],
  sin: (g, _y, a) => [g.mul(a.cos())],
  cos: (g, _y, a) => [g.mul(a.sin()).neg()],
  tanh: (g, y) => [g.sub(g.mul(y).mul(y))],
  erf: (g, _y, a) => [g.mul(a.mul(a).neg().exp()).mul(2 / Math.sqrt(Math.PI))],
  sigmoid: (g, y, a) => [g.mul(y).mul(a.neg().sigmoid())],
  softplus: (g, _y, a) => [g.mul(a.sigmoid())],

  lt: none,
  le: none,
  eq: none,
  ne: none,
  and: none,
  or: none,
  not: none,
  bitAnd: none,
  bitOr: none,
  bitXor: none,

  where: (g, _y, condition) => [undefined, where(condition, g, 0), where(condition, 0, g)],

  // Gradients of float16 are float32, as everything that is computed.
  toFloat32: (g, _y, a) => (a.dtype === 'float16' ? [g] : []),
  toFloat16: (g) => [g],
  toInt32: none,
  toUint32: none,
  toBool: none,

  randomBits: none,
  randomUniform: none,
  randomNormal: none,
};

function share(g: Tensor, wins: Tensor, ties: Tensor): Gradients {
  const part = cast(wins, 'float32').add(cast(ties, 'float32').mul(0.5));
  return [g.mul(part), g.sub(g.mul(part))];
}
