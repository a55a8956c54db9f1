/** Attention: multi-head attention between tokens, with the parameter names of diffusers' `Attention`. */

import { attention } from '../ops/attention.js';
import type { Tensor } from '../tensor.js';
import type { InitializationOptions } from './initialization.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

export interface AttentionOptions extends InitializationOptions {
  readonly heads: number;
  readonly headDim: number;
  /** Channels of the tokens attended to, where they are not the queries' own. */
  readonly contextDim?: number;
  /** Bias of the query, key and value projections. The output projection always has one. Default false. */
  readonly bias?: boolean;
}

/** Projections to heads * headDim channels (`to_q`, `to_k`, `to_v`), attention, projection back to queryDim (`to_out.0`). */
export class Attention extends Module {
  readonly to_q: Linear;
  readonly to_k: Linear;
  readonly to_v: Linear;
  readonly to_out: readonly [Linear];
  readonly #heads: number;
  readonly #headDim: number;

  constructor(queryDim: number, options: AttentionOptions) {
    super();
    const { heads, headDim, contextDim = queryDim, bias = false, ...initialization } = options;
    const innerDim = heads * headDim;
    this.to_q = new Linear(queryDim, innerDim, { bias, ...initialization });
    this.to_k = new Linear(contextDim, innerDim, { bias, ...initialization });
    this.to_v = new Linear(contextDim, innerDim, { bias, ...initialization });
    this.to_out = [new Linear(innerDim, queryDim, initialization)];
    this.#heads = heads;
    this.#headDim = headDim;
  }

  /** x [batch, tokens, queryDim], context [batch, contextTokens, contextDim] (default x itself) -> like x. */
  forward(x: Tensor, context: Tensor = x): Tensor {
    const heads = (tokens: Tensor) => tokens.reshape(...tokens.shape.slice(0, 2), this.#heads, this.#headDim);
    const q = heads(this.to_q.forward(x));
    const k = heads(this.to_k.forward(context));
    const v = heads(this.to_v.forward(context));
    const [batch = 1, tokens = 1] = x.shape;
    const attended = attention(q, k, v).reshape(batch, tokens, this.#heads * this.#headDim);
    return this.to_out[0].forward(attended);
  }
}
