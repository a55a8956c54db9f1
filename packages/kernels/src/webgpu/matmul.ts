/** Matrix products of a batch. */

import type { MatmulKernel } from '../kernel.js';
import { epilogueCode } from './epilogue.js';
import type { GemmOptions } from './gemm/choose.js';
import { denseOperand } from './gemm/dense.js';
import { gemmProgram } from './gemm/gemm.js';
import type { Program } from './program.js';
import type { Target } from './target.js';

export function matmulProgram(kernel: MatmulKernel, target: Target, options?: GemmOptions): Program {
  const { batch, m, n, k, transposeA, transposeB, batchedA, batchedB } = kernel;
  const a = denseOperand(
    'a',
    { input: 0 },
    {
      rows: m,
      inner: k,
      rowStride: transposeA ? 1 : k,
      innerStride: transposeA ? m : 1,
      batchStride: batchedA ? m * k : 0,
    },
  );
  const b = denseOperand(
    'b',
    { input: 1 },
    {
      rows: n,
      inner: k,
      rowStride: transposeB ? k : 1,
      innerStride: transposeB ? 1 : n,
      batchStride: batchedB ? n * k : 0,
    },
  );
  const gemm = {
    label: 'matmul',
    batch,
    rows: m,
    columns: n,
    outer: 1,
    inner: k,
    a,
    b,
    epilogue: epilogueCode(kernel),
    output: { output: 0 },
  };
  return gemmProgram([gemm], target, options);
}
