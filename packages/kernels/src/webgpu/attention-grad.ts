/**
 * Gradient of attention, as in FlashAttention-2 (Dao, 2023, algorithm 2), in three kernels without a score matrix in memory:
 *   delta = sum_d do * o
 *   dq: rows are queries;  P = exp(score - logsumexp), dScore = P * (do . v - delta), dq = scale * sum over keys of dScore k
 *   dk and dv: rows are keys;  dk = scale * sum over queries of dScore q, dv = sum over queries of P do
 * Every row belongs to one invocation and every sum has a fixed order, so results repeat to the bit.
 */

import type { AttentionGradKernel } from '../kernel.js';
import { composedAttentionGrad, deltaDispatch } from './attention/composed.js';
import { flashDispatch, isFlash, slicesOfColumns } from './attention/flash.js';
import { type Block, type FlashPass, guarded, LOG2E, range } from './attention/pass.js';
import { type Dispatch, linearGrid, type Place, type Program } from './program.js';
import type { Target } from './target.js';
import { wgsl } from './wgsl.js';

const grad = { name: 'grad', place: { input: 0 } };
const q = { name: 'q', place: { input: 1 } };
const k = { name: 'k', place: { input: 2 } };
const v = { name: 'v', place: { input: 3 } };
const logSumExp = { name: 'logsumexp', place: { input: 5 }, factor: LOG2E };
const delta = { name: 'delta', place: { scratch: 0 } };

export function attentionGradProgram(kernel: AttentionGradKernel, target: Target): Program {
  if (!isFlash(kernel)) return composedAttentionGrad(kernel, target);
  const queryPass = queryGradPass(kernel);
  const wholeKeyPass = keyGradPass(kernel, 1, { output: 1 }, { output: 2 });
  const slices = slicesOfColumns(wholeKeyPass, target);
  const deltas = deltaDispatch(kernel, target, { grad: grad.place, o: { input: 4 } }, delta.place, 4);
  const rows = kernel.batch * kernel.heads * kernel.queries;
  const keyElements = kernel.batch * kernel.keys * kernel.heads * kernel.headDim;
  if (slices === 1) {
    return {
      scratch: [rows],
      dispatches: [deltas, flashDispatch(queryPass, target), flashDispatch(wholeKeyPass, target)],
    };
  }
  const keyPass = keyGradPass(kernel, slices, { scratch: 1 }, { scratch: 2 });
  return {
    scratch: [rows, slices * keyElements, slices * keyElements],
    dispatches: [
      deltas,
      flashDispatch(queryPass, target),
      flashDispatch(keyPass, target),
      sliceSumDispatch({ scratch: 1 }, { output: 1 }, slices, keyElements, target),
      sliceSumDispatch({ scratch: 2 }, { output: 2 }, slices, keyElements, target),
    ],
  };
}

function queryGradPass(sizes: AttentionGradKernel): FlashPass {
  return {
    label: 'attention dq',
    sizes,
    rows: 'queries',
    held: [{ ...q, factor: sizes.scale * LOG2E }, grad],
    streamed: [k, v],
    perQuery: [logSumExp, delta],
    sums: [
      { name: 'dq', place: { output: 0 }, streamed: 'k', finish: (sum) => `${sum} * f32(${sizes.scale})` },
    ],
    results: [],
    slices: 1,
    declare: () => [],
    weigh: (rows) => rows.flatMap((row) => probabilities(row, [scoreGrad])),
  };
}

function keyGradPass(sizes: AttentionGradKernel, slices: number, dk: Place, dv: Place): FlashPass {
  return {
    label: 'attention dk dv',
    sizes,
    rows: 'keys',
    held: [{ ...k, factor: sizes.scale * LOG2E }, v],
    streamed: [q, grad],
    perQuery: [logSumExp, delta],
    sums: [
      { name: 'dk', place: dk, streamed: 'q', finish: (sum) => `${sum} * f32(${sizes.scale})` },
      { name: 'dv', place: dv, streamed: 'grad', finish: (sum) => sum },
    ],
    results: [],
    slices,
    declare: () => [],
    weigh: (rows) => rows.flatMap((row) => probabilities(row, [scoreGrad, (probability) => probability])),
  };
}

/** WGSL of the weight of one sum. */
type Weight = (probability: string, block: Block, column: number) => string;

const scoreGrad: Weight = (probability, { score, value }, column) =>
  `${probability} * (${score(1, column)} - ${value('delta', column)})`;

/** Score 0 is scale * q.k in base 2, score 1 is do.v. */
function probabilities(block: Block, weights: readonly Weight[]): string[] {
  return block.columns.flatMap((column) => {
    const probability = `probability_${block.row}_${column}`;
    const power = `exp2(${block.score(0, column)} - ${block.value('logsumexp', column)})`;
    return [
      `let ${probability} = ${guarded(power, 0, block.exists(column))};`,
      ...weights.map(
        (weight, sum) => `let ${block.weight(sum, column)} = ${weight(probability, block, column)};`,
      ),
    ];
  });
}

const WORKGROUP = 64;

/** sums = the partial sums of every slice, added in their order. */
function sliceSumDispatch(
  partials: Place,
  sums: Place,
  slices: number,
  elements: number,
  target: Target,
): Dispatch {
  const vectors = elements / 4;
  const grid = linearGrid(Math.ceil(vectors / WORKGROUP), target);
  return {
    label: `attention sum of ${slices} slices`,
    buffers: [
      { name: 'partials', place: partials, dtype: 'float32', width: 4, access: 'read' },
      { name: 'sums', place: sums, dtype: 'float32', width: 4, access: 'write' },
    ],
    workgroups: grid.workgroups,
    code: wgsl`
      @compute @workgroup_size(${WORKGROUP})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let flat = ${grid.index} * ${WORKGROUP}u + local;
        if (flat >= ${vectors}u) { return; }
        var sum = load_partials(flat);
        ${range(slices - 1).map((i) => `sum += load_partials(flat + ${(i + 1) * vectors}u);`)}
        store_sums(flat, sum);
      }
    `,
  };
}
