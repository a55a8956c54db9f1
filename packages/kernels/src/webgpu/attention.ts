/** Attention: FlashAttention-2 (Dao, 2023) with an online softmax in base 2, or by way of a stored score matrix where it cannot hold a row. */

import type { AttentionKernel } from '../kernel.js';
import { composedAttention } from './attention/composed.js';
import { flashDispatch, isFlash } from './attention/flash.js';
import { type Block, type FlashPass, guarded, LN2, LOG2E, LOWEST } from './attention/pass.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function attentionProgram(kernel: AttentionKernel, target: Target): Program {
  if (!isFlash(kernel)) return composedAttention(kernel, target);
  return { scratch: [], dispatches: [flashDispatch(forwardPass(kernel), target)] };
}

/**
 * How far a score, in powers of two, may exceed the row's reference before the sums are rescaled to it. Rescaling at every larger
 * score would cost a multiplication of the sums each time; weights up to 2^8 lose nothing in float32.
 */
const HEADROOM = 8;

/** o = sum_j 2^(s_j - reference) v_j / total, total = sum_j 2^(s_j - reference), with scores s = (scale * log2 e) q.k. */
function forwardPass(sizes: AttentionKernel): FlashPass {
  return {
    label: 'attention',
    sizes,
    rows: 'queries',
    held: [{ name: 'q', place: { input: 0 }, factor: sizes.scale * LOG2E }],
    streamed: [
      { name: 'k', place: { input: 1 } },
      { name: 'v', place: { input: 2 } },
    ],
    perQuery: [],
    sums: [{ name: 'o', place: { output: 0 }, streamed: 'v', finish: (sum, row) => `${sum} / total_${row}` }],
    results: [
      {
        name: 'logsumexp',
        place: { output: 1 },
        value: (row) => `reference_${row} * ${LN2} + dmpo_log(total_${row})`,
      },
    ],
    slices: 1,
    declare: (row) => [`var reference_${row} = f32(${LOWEST});`, `var total_${row} = 0.0;`],
    weigh: onlineSoftmax,
  };
}

function onlineSoftmax(rows: readonly Block[]): string[] {
  const excesses = rows.map(({ row }) => `largest_${row} - reference_${row}`);
  return [
    ...rows.map(
      ({ row, columns, score, exists }) =>
        `let largest_${row} = ${largestOf(columns.map((column) => guarded(score(0, column), LOWEST, exists(column))))};`,
    ),
    `if (${largestOf(excesses)} > ${HEADROOM}.0) {`,
    ...rows
      .flatMap(({ row, rescale }) => [
        `let higher_${row} = max(reference_${row}, largest_${row});`,
        `let shrink_${row} = exp2(reference_${row} - higher_${row});`,
        `reference_${row} = higher_${row};`,
        `total_${row} *= shrink_${row};`,
        ...rescale(`shrink_${row}`),
      ])
      .map((line) => `  ${line}`),
    '}',
    ...rows.flatMap(({ row, columns, score, weight, exists }) => [
      ...columns.map((column) => {
        const power = `exp2(${score(0, column)} - reference_${row})`;
        return `let ${weight(0, column)} = ${guarded(power, 0, exists(column))};`;
      }),
      `total_${row} += ${columns.map((column) => weight(0, column)).join(' + ')};`,
    ]),
  ];
}

const largestOf = (values: readonly string[]): string =>
  values.reduce((largest, value) => `max(${largest}, ${value})`);
