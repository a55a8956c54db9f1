/**
 * Gradient of attention from the saved output o and logsumexp, as in FlashAttention-2 (Dao, 2023, algorithm 2):
 *   P = exp(score - logsumexp),  delta = sum_d do * o,  dScore = P * (do . v - delta) * scale
 *   dq = dScore k,  dk = dScore^T q,  dv = P^T do
 */

import type { AttentionGradKernel } from '../kernel.js';
import {
  type AttentionConstants,
  attentionOutput,
  attentionProbability,
  attentionScore,
} from './attention.js';
import type { NumberArray, PortableProgram, PortableThread } from './types.js';
import { input, pass, result } from './types.js';

export function attentionGradProgram(kernel: AttentionGradKernel): PortableProgram {
  const { batch, heads, queries, keys, headDim, scale } = kernel;
  const constants: AttentionConstants = { heads, queries, keys, headDim, scale };
  const [outputGrad, q, k, v, o, logSumExp] = [0, 1, 2, 3, 4, 5].map(input);
  const [scores, probabilities, delta, scoreGrad] = [0, 1, 2, 3].map(result);
  const rows = batch * heads * queries;
  const keyElements = batch * keys * heads * headDim;
  return {
    passes: [
      pass(attentionScore, constants, [q, k], rows * keys),
      pass(attentionProbability, constants, [scores, logSumExp], rows * keys),
      pass(attentionDelta, constants, [outputGrad, o], rows),
      pass(attentionScoreGrad, constants, [outputGrad, v, probabilities, delta], rows * keys),
      pass(attentionOutput, constants, [scoreGrad, k], rows * headDim),
      pass(attentionTransposed, constants, [scoreGrad, q], keyElements),
      pass(attentionTransposed, constants, [probabilities, outputGrad], keyElements),
    ],
    outputs: [4, 5, 6],
  };
}

/** delta for each [batch, head, query]. */
export function attentionDelta(
  this: PortableThread<AttentionConstants>,
  outputGrad: NumberArray,
  o: NumberArray,
): number {
  const query = this.thread.x % this.constants.queries;
  const head = Math.floor(this.thread.x / this.constants.queries) % this.constants.heads;
  const batch = Math.floor(this.thread.x / (this.constants.queries * this.constants.heads));
  const base =
    ((batch * this.constants.queries + query) * this.constants.heads + head) * this.constants.headDim;
  let sum = 0;
  for (let d = 0; d < this.constants.headDim; d++) {
    sum += outputGrad[base + d] * o[base + d];
  }
  return sum;
}

/** Gradient at q . k for each [batch, head, query, key]. */
export function attentionScoreGrad(
  this: PortableThread<AttentionConstants>,
  outputGrad: NumberArray,
  v: NumberArray,
  probabilities: NumberArray,
  delta: NumberArray,
): number {
  const key = this.thread.x % this.constants.keys;
  const row = Math.floor(this.thread.x / this.constants.keys);
  const query = row % this.constants.queries;
  const head = Math.floor(row / this.constants.queries) % this.constants.heads;
  const batch = Math.floor(row / (this.constants.queries * this.constants.heads));
  const oBase =
    ((batch * this.constants.queries + query) * this.constants.heads + head) * this.constants.headDim;
  const vBase = ((batch * this.constants.keys + key) * this.constants.heads + head) * this.constants.headDim;
  let sum = 0;
  for (let d = 0; d < this.constants.headDim; d++) {
    sum += outputGrad[oBase + d] * v[vBase + d];
  }
  return probabilities[this.thread.x] * (sum - delta[row]) * this.constants.scale;
}

/** Columns of a [batch, heads, queries, keys] matrix times rows over the queries, for each [batch, key, head, d]. */
export function attentionTransposed(
  this: PortableThread<AttentionConstants>,
  matrix: NumberArray,
  rows: NumberArray,
): number {
  const d = this.thread.x % this.constants.headDim;
  const token = Math.floor(this.thread.x / this.constants.headDim);
  const head = token % this.constants.heads;
  const key = Math.floor(token / this.constants.heads) % this.constants.keys;
  const batch = Math.floor(token / (this.constants.heads * this.constants.keys));
  const matrixBase =
    (batch * this.constants.heads + head) * this.constants.queries * this.constants.keys + key;
  const rowBase = (batch * this.constants.queries * this.constants.heads + head) * this.constants.headDim + d;
  let sum = 0;
  for (let query = 0; query < this.constants.queries; query++) {
    sum +=
      matrix[matrixBase + query * this.constants.keys] *
      rows[rowBase + query * this.constants.heads * this.constants.headDim];
  }
  return sum;
}
