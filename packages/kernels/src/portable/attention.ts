/** Attention softmax(scale * q k^T) v over [batch, tokens, heads, headDim], by way of the scores [batch, heads, queries, keys]. */

import type { AttentionKernel } from '../kernel.js';
import type { NumberArray, PortableProgram, PortableThread } from './types.js';
import { input, pass, result } from './types.js';

export interface AttentionConstants {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly scale: number;
}

export function attentionProgram(kernel: AttentionKernel): PortableProgram {
  const { batch, heads, queries, keys, headDim, scale } = kernel;
  const constants: AttentionConstants = { heads, queries, keys, headDim, scale };
  const rows = batch * heads * queries;
  return {
    passes: [
      pass(attentionScore, constants, [input(0), input(1)], rows * keys),
      pass(attentionLogSumExp, constants, [result(0)], rows),
      pass(attentionProbability, constants, [result(0), result(1)], rows * keys),
      pass(attentionOutput, constants, [result(2), input(2)], rows * headDim),
    ],
    outputs: [3, 1],
  };
}

/** scale * (q . k) for each [batch, head, query, key]. */
export function attentionScore(
  this: PortableThread<AttentionConstants>,
  q: NumberArray,
  k: NumberArray,
): number {
  const key = this.thread.x % this.constants.keys;
  const row = Math.floor(this.thread.x / this.constants.keys);
  const query = row % this.constants.queries;
  const head = Math.floor(row / this.constants.queries) % this.constants.heads;
  const batch = Math.floor(row / (this.constants.queries * this.constants.heads));
  const qBase =
    ((batch * this.constants.queries + query) * this.constants.heads + head) * this.constants.headDim;
  const kBase = ((batch * this.constants.keys + key) * this.constants.heads + head) * this.constants.headDim;
  let sum = 0;
  for (let d = 0; d < this.constants.headDim; d++) {
    sum += q[qBase + d] * k[kBase + d];
  }
  return sum * this.constants.scale;
}

/** log sum_key exp(score) for each [batch, head, query], without overflow. */
export function attentionLogSumExp(this: PortableThread<AttentionConstants>, scores: NumberArray): number {
  const base = this.thread.x * this.constants.keys;
  let largest = scores[base];
  for (let key = 1; key < this.constants.keys; key++) {
    largest = Math.max(largest, scores[base + key]);
  }
  let sum = 0;
  for (let key = 0; key < this.constants.keys; key++) {
    sum += Math.exp(scores[base + key] - largest);
  }
  return largest + Math.log(sum);
}

/** exp(score - logsumexp) for each [batch, head, query, key]. */
export function attentionProbability(
  this: PortableThread<AttentionConstants>,
  scores: NumberArray,
  logSumExp: NumberArray,
): number {
  return Math.exp(scores[this.thread.x] - logSumExp[Math.floor(this.thread.x / this.constants.keys)]);
}

/** Rows of probabilities times v, for each [batch, query, head, d]. */
export function attentionOutput(
  this: PortableThread<AttentionConstants>,
  probabilities: NumberArray,
  v: NumberArray,
): number {
  const d = this.thread.x % this.constants.headDim;
  const row = Math.floor(this.thread.x / this.constants.headDim);
  const head = row % this.constants.heads;
  const query = Math.floor(row / this.constants.heads) % this.constants.queries;
  const batch = Math.floor(row / (this.constants.heads * this.constants.queries));
  const pBase =
    ((batch * this.constants.heads + head) * this.constants.queries + query) * this.constants.keys;
  const vBase = (batch * this.constants.keys * this.constants.heads + head) * this.constants.headDim + d;
  let sum = 0;
  for (let key = 0; key < this.constants.keys; key++) {
    sum += probabilities[pBase + key] * v[vBase + key * this.constants.heads * this.constants.headDim];
  }
  return sum;
}
