/**
 * Kernels as values: what to compute, over which sizes, with no buffer and no number that changes from run to run.
 * A device turns a kernel into something runnable once, by `kernelKey`, and runs it many times on different buffers.
 *
 * Sizes are positive integers; only a `map` or `reduce` may have none of something. `checkKernel` refuses the rest.
 * Buffers are contiguous, row-major, of `bytesPerElement`. What expressions load, and what matmul, convolutions and attention read, may
 * be float16; results are float32 unless an expression or a `resultType` makes them something else. Activations are NHWC, filters OHWI, attention is
 * [batch, tokens, heads, headDim]. Inputs and outputs never overlap, except that a `map` output may be the very buffer of
 * an input that the expression reads through an identity view only (an update in place).
 */

import { bytesPerElement, type DType } from './dtype.js';
import type { Expression } from './expression.js';
import { elementCount } from './view.js';

export type Kernel =
  | MapKernel
  | ReduceKernel
  | MatmulKernel
  | Conv2dKernel
  | Conv2dInputGradKernel
  | Conv2dFilterGradKernel
  | GroupNormKernel
  | GroupNormGradKernel
  | LayerNormKernel
  | LayerNormGradKernel
  | AttentionKernel
  | AttentionGradKernel
  | SoftmaxKernel
  | GatherKernel
  | GatherGradKernel;

/** What every kernel has: the dtypes of its input buffers, and of the scalars its expression reads. */
interface KernelBase {
  /** dtype of each input buffer, structural operands first, then those that only the expression loads. */
  readonly inputs: readonly DType[];
  /** dtype of each entry of the command's scalar table. */
  readonly scalars: readonly DType[];
}

/** outputs[r][i] = expression.results[r] at index i of `shape`; every output is contiguous over `shape`. */
export interface MapKernel extends KernelBase {
  readonly kind: 'map';
  readonly shape: readonly number[];
  readonly expression: Expression;
}

/**
 * Reduces the expression's one result over `axes` of `shape` (ascending). The output is contiguous over the other axes.
 * `mean`, of float32 only, divides the sum by the number of elements. The max of nothing is the lowest number of its dtype
 * (-Infinity), the mean of nothing NaN. A NaN makes the max NaN.
 */
export interface ReduceKernel extends KernelBase {
  readonly kind: 'reduce';
  readonly reduction: 'sum' | 'max' | 'mean';
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  readonly expression: Expression;
}

/**
 * What is done to each result of a matmul or convolution before it is stored: an expression over `shape`, which has as many
 * elements as the output and the same memory order. It reads the result by `accumulator` and may load further inputs.
 */
export interface Epilogue {
  readonly shape: readonly number[];
  readonly expression: Expression;
}

/** inputs [a, b, ...]; output [batch, m, n] = op(a) op(b); op(a) is [m, k], stored [k, m] if transposeA; op(b) is [k, n]. */
export interface MatmulKernel extends KernelBase {
  readonly kind: 'matmul';
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** False when one matrix serves the whole batch. */
  readonly batchedA: boolean;
  readonly batchedB: boolean;
  readonly epilogue?: Epilogue;
}

/** Sizes of a convolution. Padding at the bottom and right is implied by the output size; taps outside read zero. */
export interface Conv2dGeometry {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
}

/** inputs [x NHWC, w OHWI, ...]; output y NHWC. y[n,p,q,o] = sum x[n, p*stride - pad + r*dilation, ..., c] * w[o,r,s,c]. */
export interface Conv2dKernel extends KernelBase {
  readonly kind: 'conv2d';
  readonly geometry: Conv2dGeometry;
  readonly epilogue?: Epilogue;
}

/** inputs [dy NHWC, w OHWI, ...]; output dx NHWC: the adjoint of conv2d in x. */
export interface Conv2dInputGradKernel extends KernelBase {
  readonly kind: 'conv2dInputGrad';
  readonly geometry: Conv2dGeometry;
  readonly epilogue?: Epilogue;
}

/** inputs [x NHWC, dy NHWC]; output dw OHWI: the adjoint of conv2d in w. */
export interface Conv2dFilterGradKernel extends KernelBase {
  readonly kind: 'conv2dFilterGrad';
  readonly geometry: Conv2dGeometry;
}

/**
 * inputs [x [batch, positions, channels], scale [channels], shift [channels]]; outputs [y, mean [batch, groups], rstd [batch, groups]].
 * y = (x - mean) * rstd * scale + shift, then y * sigmoid(y) if `silu`. Variance is biased, as in PyTorch.
 */
export interface GroupNormKernel extends KernelBase {
  readonly kind: 'groupNorm';
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly silu: boolean;
  /** Of y; float32 if absent. */
  readonly resultType?: 'float16';
}

/** inputs [dy, x, scale, shift, mean, rstd]; outputs [dx, dScale, dShift]. */
export interface GroupNormGradKernel extends KernelBase {
  readonly kind: 'groupNormGrad';
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly silu: boolean;
}

/** inputs [x [rows, channels], scale, shift]; outputs [y, mean [rows], rstd [rows]]. */
export interface LayerNormKernel extends KernelBase {
  readonly kind: 'layerNorm';
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
  /** Of y; float32 if absent. */
  readonly resultType?: 'float16';
}

/** inputs [dy, x, scale, mean, rstd]; outputs [dx, dScale, dShift]. */
export interface LayerNormGradKernel extends KernelBase {
  readonly kind: 'layerNormGrad';
  readonly rows: number;
  readonly channels: number;
}

interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  /** Scores are scale * q.k */
  readonly scale: number;
}

/** inputs [q [batch, queries, heads, headDim], k, v [batch, keys, heads, headDim]]; outputs [o like q, logsumexp [batch, heads, queries]]. */
export interface AttentionKernel extends KernelBase, AttentionSizes {
  readonly kind: 'attention';
}

/** inputs [do, q, k, v, o, logsumexp]; outputs [dq, dk, dv]. */
export interface AttentionGradKernel extends KernelBase, AttentionSizes {
  readonly kind: 'attentionGrad';
}

/** input [rows, columns]; output softmax of each row. */
export interface SoftmaxKernel extends KernelBase {
  readonly kind: 'softmax';
  readonly rows: number;
  readonly columns: number;
}

/** inputs [table [rows, columns], indices [count] int32]; output [count, columns]. An index outside the table gives NaN. */
export interface GatherKernel extends KernelBase {
  readonly kind: 'gather';
  readonly rows: number;
  readonly columns: number;
  readonly count: number;
}

/** inputs [dy [count, columns], indices [count] int32]; output [rows, columns]: each row the sum of its dy in ascending order. */
export interface GatherGradKernel extends KernelBase {
  readonly kind: 'gatherGrad';
  readonly rows: number;
  readonly columns: number;
  readonly count: number;
}

/** Structural identity: two kernels with the same key run the same program. */
export function kernelKey(kernel: Kernel): string {
  return JSON.stringify(kernel, distinctNumber);
}

/** JSON writes NaN and both infinities as null, and -0 as 0. */
function distinctNumber(_: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : `${value}`;
}

/** One output of a kernel. */
export interface OutputSpec {
  readonly dtype: DType;
  readonly elements: number;
}

/** The outputs of a kernel, in order. */
export function kernelOutputs(kernel: Kernel): OutputSpec[] {
  const floats = (...sizes: number[]): OutputSpec[] =>
    sizes.map((elements) => ({ dtype: 'float32', elements }));
  switch (kernel.kind) {
    case 'map': {
      const elements = elementCount(kernel.shape);
      return resultTypes(kernel.expression).map((dtype) => ({ dtype, elements }));
    }
    case 'reduce': {
      const kept = kernel.shape.filter((_, axis) => !kernel.axes.includes(axis));
      return resultTypes(kernel.expression).map((dtype) => ({ dtype, elements: elementCount(kept) }));
    }
    case 'matmul':
      return [{ dtype: epilogueType(kernel.epilogue), elements: kernel.batch * kernel.m * kernel.n }];
    case 'conv2d':
      return [{ dtype: epilogueType(kernel.epilogue), elements: outputElements(kernel.geometry) }];
    case 'conv2dInputGrad':
      return [{ dtype: epilogueType(kernel.epilogue), elements: inputElements(kernel.geometry) }];
    case 'conv2dFilterGrad':
      return floats(filterElements(kernel.geometry));
    case 'groupNorm': {
      const statistics = kernel.batch * kernel.groups;
      const elements = kernel.batch * kernel.positions * kernel.channels;
      return [{ dtype: kernel.resultType ?? 'float32', elements }, ...floats(statistics, statistics)];
    }
    case 'groupNormGrad':
      return floats(kernel.batch * kernel.positions * kernel.channels, kernel.channels, kernel.channels);
    case 'layerNorm':
      return [
        { dtype: kernel.resultType ?? 'float32', elements: kernel.rows * kernel.channels },
        ...floats(kernel.rows, kernel.rows),
      ];
    case 'layerNormGrad':
      return floats(kernel.rows * kernel.channels, kernel.channels, kernel.channels);
    case 'attention':
      return floats(queryElements(kernel), kernel.batch * kernel.heads * kernel.queries);
    case 'attentionGrad':
      return floats(queryElements(kernel), keyElements(kernel), keyElements(kernel));
    case 'softmax':
      return floats(kernel.rows * kernel.columns);
    case 'gather':
      return floats(kernel.count * kernel.columns);
    case 'gatherGrad':
      return floats(kernel.rows * kernel.columns);
    default:
      return kernel satisfies never;
  }
}

/** Elements that each input buffer must have at least. Inputs that only an expression loads are listed by their reach. */
export function kernelInputElements(kernel: Kernel): number[] {
  switch (kernel.kind) {
    case 'map':
    case 'reduce':
      return withLoads([], kernel.inputs.length, kernel.shape, kernel.expression);
    case 'matmul':
      return withEpilogue(
        [
          (kernel.batchedA ? kernel.batch : 1) * kernel.m * kernel.k,
          (kernel.batchedB ? kernel.batch : 1) * kernel.k * kernel.n,
        ],
        kernel,
      );
    case 'conv2d':
      return withEpilogue([inputElements(kernel.geometry), filterElements(kernel.geometry)], kernel);
    case 'conv2dInputGrad':
      return withEpilogue([outputElements(kernel.geometry), filterElements(kernel.geometry)], kernel);
    case 'conv2dFilterGrad':
      return [inputElements(kernel.geometry), outputElements(kernel.geometry)];
    case 'groupNorm':
      return [kernel.batch * kernel.positions * kernel.channels, kernel.channels, kernel.channels];
    case 'groupNormGrad': {
      const elements = kernel.batch * kernel.positions * kernel.channels;
      const statistics = kernel.batch * kernel.groups;
      return [elements, elements, kernel.channels, kernel.channels, statistics, statistics];
    }
    case 'layerNorm':
      return [kernel.rows * kernel.channels, kernel.channels, kernel.channels];
    case 'layerNormGrad': {
      const elements = kernel.rows * kernel.channels;
      return [elements, elements, kernel.channels, kernel.rows, kernel.rows];
    }
    case 'attention':
      return [queryElements(kernel), keyElements(kernel), keyElements(kernel)];
    case 'attentionGrad': {
      const queries = queryElements(kernel);
      const keys = keyElements(kernel);
      return [queries, queries, keys, keys, queries, kernel.batch * kernel.heads * kernel.queries];
    }
    case 'softmax':
      return [kernel.rows * kernel.columns];
    case 'gather':
      return [kernel.rows * kernel.columns, kernel.count];
    case 'gatherGrad':
      return [kernel.count * kernel.columns, kernel.count];
    default:
      return kernel satisfies never;
  }
}

/** Bytes read and written when every input is read once and every output written once: the memory floor. */
export function kernelBytes(kernel: Kernel): number {
  let bytes = 0;
  kernelInputElements(kernel).forEach((elements, i) => {
    bytes += elements * bytesPerElement[kernel.inputs[i]];
  });
  for (const { elements, dtype } of kernelOutputs(kernel)) bytes += elements * bytesPerElement[dtype];
  return bytes;
}

/** Floating-point operations, a multiply-add counted as two, an elementary function as one. */
export function kernelFlops(kernel: Kernel): number {
  switch (kernel.kind) {
    case 'map':
      return elementCount(kernel.shape) * expressionFlops(kernel.expression);
    case 'reduce':
      return elementCount(kernel.shape) * (expressionFlops(kernel.expression) + 1);
    case 'matmul':
      return 2 * kernel.batch * kernel.m * kernel.n * kernel.k + epilogueFlops(kernel.epilogue);
    case 'conv2d':
    case 'conv2dInputGrad':
      return convolutionFlops(kernel.geometry) + epilogueFlops(kernel.epilogue);
    case 'conv2dFilterGrad':
      return convolutionFlops(kernel.geometry);
    case 'groupNorm':
      return kernel.batch * kernel.positions * kernel.channels * (kernel.silu ? 9 : 7);
    case 'groupNormGrad':
      return kernel.batch * kernel.positions * kernel.channels * (kernel.silu ? 19 : 12);
    case 'layerNorm':
      return kernel.rows * kernel.channels * 7;
    case 'layerNormGrad':
      return kernel.rows * kernel.channels * 12;
    case 'attention':
      return kernel.batch * kernel.heads * kernel.queries * kernel.keys * (4 * kernel.headDim + 4);
    case 'attentionGrad':
      return kernel.batch * kernel.heads * kernel.queries * kernel.keys * (10 * kernel.headDim + 6);
    case 'softmax':
      return kernel.rows * kernel.columns * 4;
    case 'gather':
      return 0;
    case 'gatherGrad':
      return kernel.count * kernel.columns;
    default:
      return kernel satisfies never;
  }
}

function resultTypes(expression: Expression): DType[] {
  return expression.results.map((position) => {
    const instruction = expression.instructions[position];
    if (instruction === undefined) throw new RangeError(`expression has no instruction ${position}`);
    return instruction.dtype;
  });
}

function epilogueType(epilogue: Epilogue | undefined): DType {
  return epilogue === undefined ? 'float32' : resultTypes(epilogue.expression)[0];
}

const inputElements = (g: Conv2dGeometry) => g.batch * g.inHeight * g.inWidth * g.inChannels;
const outputElements = (g: Conv2dGeometry) => g.batch * g.outHeight * g.outWidth * g.outChannels;
const filterElements = (g: Conv2dGeometry) => g.outChannels * g.kernelHeight * g.kernelWidth * g.inChannels;
const convolutionFlops = (g: Conv2dGeometry) =>
  2 * outputElements(g) * g.kernelHeight * g.kernelWidth * g.inChannels;
const queryElements = (a: AttentionSizes) => a.batch * a.queries * a.heads * a.headDim;
const keyElements = (a: AttentionSizes) => a.batch * a.keys * a.heads * a.headDim;

function expressionFlops(expression: Expression): number {
  return expression.instructions.filter((instruction) => 'args' in instruction).length;
}

function epilogueFlops(epilogue: Epilogue | undefined): number {
  return epilogue ? elementCount(epilogue.shape) * expressionFlops(epilogue.expression) : 0;
}

function withEpilogue(
  operands: number[],
  kernel: MatmulKernel | Conv2dKernel | Conv2dInputGradKernel,
): number[] {
  const { epilogue, inputs } = kernel;
  if (!epilogue) return operands;
  return withLoads(operands, inputs.length, epilogue.shape, epilogue.expression);
}

/** Extends the operands' sizes by the furthest element that the expression loads from each input. */
function withLoads(
  operands: number[],
  inputs: number,
  shape: readonly number[],
  expression: Expression,
): number[] {
  const elements = Array.from({ length: inputs }, (_, input) => operands[input] ?? 0);
  for (const instruction of expression.instructions) {
    if (instruction.op !== 'load') continue;
    const { offset, strides, valid } = instruction.view;
    let last = offset;
    let empty = false;
    shape.forEach((size, d) => {
      const [begin, end] = valid?.[d] ?? [0, size];
      if (end <= begin) empty = true;
      const stride = strides[d] as number;
      last += stride > 0 ? stride * (end - 1) : stride * begin;
    });
    if (!empty) elements[instruction.input] = Math.max(elements[instruction.input] as number, last + 1);
  }
  return elements;
}
