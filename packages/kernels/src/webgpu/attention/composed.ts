/**
 * Attention by way of the matrix of scores in memory, one invocation per element, as in ../../portable/attention.ts: for head dims that
 * the flash kernels cannot hold.
 */

import type { AttentionGradKernel, AttentionKernel } from '../../kernel.js';
import { withFunctions } from '../functions.js';
import { type BufferUse, type Dispatch, linearGrid, type Place, type Program } from '../program.js';
import type { Target } from '../target.js';
import { wgsl } from '../wgsl.js';
import { type AttentionSizes, LOWEST } from './pass.js';

const WORKGROUP = 64;

export function composedAttention(kernel: AttentionKernel, target: Target): Program {
  const { rows, queryElements } = counts(kernel);
  const [q, k, v] = [0, 1, 2].map((input) => ({ input }));
  const [o, logSumExp, scores] = [{ output: 0 }, { output: 1 }, { scratch: 0 }];
  return {
    scratch: [rows * kernel.keys],
    dispatches: [
      elementwise(kernel, target, {
        label: 'attention scores',
        elements: rows * kernel.keys,
        reads: { q, k },
        write: scores,
        code: wgsl`
          ${splitScore}
          ${dotProduct('score', 'q', 'query_base', 'k', 'key_base')}
          let result = score * SCALE;
        `,
      }),
      elementwise(kernel, target, {
        label: 'attention logsumexp',
        elements: rows,
        reads: { scores },
        write: logSumExp,
        code: wgsl`
          let base = flat * KEYS;
          var largest = f32(${LOWEST});
          for (var key = 0u; key < KEYS; key++) { largest = max(largest, load_scores(base + key)); }
          var total = 0.0;
          for (var key = 0u; key < KEYS; key++) { total += dmpo_exp(load_scores(base + key) - largest); }
          let result = largest + dmpo_log(total);
        `,
      }),
      elementwise(kernel, target, {
        label: 'attention output',
        elements: queryElements,
        reads: { scores, log_sum_exp: logSumExp, v },
        write: o,
        code: wgsl`
          ${splitQuery}
          let shift = load_log_sum_exp(row);
          var result = 0.0;
          for (var key = 0u; key < KEYS; key++) {
            result += dmpo_exp(load_scores(row * KEYS + key) - shift) * load_v(column + key * HEADS * HEAD_DIM);
          }
        `,
      }),
    ],
  };
}

/** P = dmpo_exp(score - logsumexp), dScore = P * (do . v - delta) * scale; dq = dScore k, dk = dScore^T q, dv = P^T do. */
export function composedAttentionGrad(kernel: AttentionGradKernel, target: Target): Program {
  const { rows, queryElements, keyElements } = counts(kernel);
  const [grad, q, k, v, o, logSumExp] = [0, 1, 2, 3, 4, 5].map((input) => ({ input }));
  const [probabilities, scoreGrads, delta] = [0, 1, 2].map((scratch) => ({ scratch }));
  const transposed = (label: string, matrix: Place, vectors: Place, output: number): Dispatch =>
    elementwise(kernel, target, {
      label,
      elements: keyElements,
      reads: { matrix, vectors },
      write: { output },
      code: wgsl`
        ${splitKey}
        var result = 0.0;
        for (var query = 0u; query < QUERIES; query++) {
          let weight = load_matrix(((batch * HEADS + head) * QUERIES + query) * KEYS + key);
          result += weight * load_vectors(column + query * HEADS * HEAD_DIM);
        }
      `,
    });
  return {
    scratch: [rows * kernel.keys, rows * kernel.keys, rows],
    dispatches: [
      elementwise(kernel, target, {
        label: 'attention probabilities',
        elements: rows * kernel.keys,
        reads: { q, k, log_sum_exp: logSumExp },
        write: probabilities,
        code: wgsl`
          ${splitScore}
          ${dotProduct('score', 'q', 'query_base', 'k', 'key_base')}
          let result = dmpo_exp(score * SCALE - load_log_sum_exp(row));
        `,
      }),
      deltaDispatch(kernel, target, { grad, o }, delta, 1),
      elementwise(kernel, target, {
        label: 'attention score gradients',
        elements: rows * kernel.keys,
        reads: { grad, v, probabilities, delta },
        write: scoreGrads,
        code: wgsl`
          ${splitScore}
          ${dotProduct('product', 'grad', 'query_base', 'v', 'key_base')}
          let result = load_probabilities(flat) * (product - load_delta(row)) * SCALE;
        `,
      }),
      elementwise(kernel, target, {
        label: 'attention dq',
        elements: queryElements,
        reads: { score_grads: scoreGrads, k },
        write: { output: 0 },
        code: wgsl`
          ${splitQuery}
          var result = 0.0;
          for (var key = 0u; key < KEYS; key++) {
            result += load_score_grads(row * KEYS + key) * load_k(column + key * HEADS * HEAD_DIM);
          }
        `,
      }),
      transposed('attention dk', scoreGrads, q, 1),
      transposed('attention dv', probabilities, grad, 2),
    ],
  };
}

/** delta = sum_d do * o for each [batch, head, query]: what the softmax's gradient subtracts. */
export function deltaDispatch(
  sizes: AttentionSizes,
  target: Target,
  reads: { grad: Place; o: Place },
  delta: Place,
  width: 1 | 4,
): Dispatch {
  return elementwise(sizes, target, {
    label: 'attention delta',
    elements: sizes.batch * sizes.heads * sizes.queries,
    reads,
    write: delta,
    width,
    code: wgsl`
      let head = flat / QUERIES % HEADS;
      let token = flat / (QUERIES * HEADS) * QUERIES + flat % QUERIES;
      let base = (token * HEADS + head) * ${sizes.headDim / width}u;
      var result = 0.0;
      for (var d = 0u; d < ${sizes.headDim / width}u; d++) {
        result += ${width === 4 ? 'dot(load_grad(base + d), load_o(base + d))' : 'load_grad(base + d) * load_o(base + d)'};
      }
    `,
  });
}

/** flat as [batch, head, query, key]; row is [batch, head, query]. */
const splitScore = wgsl`
  let row = flat / KEYS;
  let head = row / QUERIES % HEADS;
  let batch = row / (QUERIES * HEADS);
  let query_base = ((batch * QUERIES + row % QUERIES) * HEADS + head) * HEAD_DIM;
  let key_base = ((batch * KEYS + flat % KEYS) * HEADS + head) * HEAD_DIM;
`;

/** flat as [batch, query, head, d]; row is [batch, head, query], column the element d of the first key. */
const splitQuery = wgsl`
  let head = flat / HEAD_DIM % HEADS;
  let query = flat / (HEAD_DIM * HEADS) % QUERIES;
  let batch = flat / (HEAD_DIM * HEADS * QUERIES);
  let row = (batch * HEADS + head) * QUERIES + query;
  let column = (batch * KEYS * HEADS + head) * HEAD_DIM + flat % HEAD_DIM;
`;

/** flat as [batch, key, head, d]; column is the element d of the first query. */
const splitKey = wgsl`
  let head = flat / HEAD_DIM % HEADS;
  let key = flat / (HEAD_DIM * HEADS) % KEYS;
  let batch = flat / (HEAD_DIM * HEADS * KEYS);
  let column = (batch * QUERIES * HEADS + head) * HEAD_DIM + flat % HEAD_DIM;
`;

function dotProduct(result: string, a: string, aBase: string, b: string, bBase: string): string {
  return wgsl`
    var ${result} = 0.0;
    for (var d = 0u; d < HEAD_DIM; d++) { ${result} += load_${a}(${aBase} + d) * load_${b}(${bBase} + d); }
  `;
}

interface Elementwise {
  readonly label: string;
  readonly elements: number;
  readonly reads: Readonly<Record<string, Place>>;
  readonly write: Place;
  /** Elements per load of the operands. */
  readonly width?: 1 | 4;
  /** WGSL that computes `result` from `flat`. */
  readonly code: string;
}

function elementwise(
  { heads, queries, keys, headDim, scale }: AttentionSizes,
  target: Target,
  { label, elements, reads, write, width = 1, code }: Elementwise,
): Dispatch {
  const grid = linearGrid(Math.ceil(elements / WORKGROUP), target);
  const inputs = Object.entries(reads).map(
    ([name, place]): BufferUse => ({ name, place, dtype: 'float32', width, access: 'read' }),
  );
  return {
    label,
    buffers: [...inputs, { name: 'result', place: write, dtype: 'float32', width: 1, access: 'write' }],
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      const HEADS = ${heads}u;
      const QUERIES = ${queries}u;
      const KEYS = ${keys}u;
      const HEAD_DIM = ${headDim}u;
      const SCALE = f32(${scale});

      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let flat = ${grid.index} * ${WORKGROUP}u + local;
        if (flat >= ${elements}u) { return; }
        ${code.trimEnd()}
        store_result(flat, result);
      }
    `),
  };
}

const counts = ({ batch, heads, queries, keys, headDim }: AttentionSizes) => ({
  rows: batch * heads * queries,
  queryElements: batch * queries * heads * headDim,
  keyElements: batch * keys * heads * headDim,
});
