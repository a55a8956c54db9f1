/** Kernels as the WebAssembly code takes them: an opcode, a program for the expression, sizes, and the memory they work in. */

import type { DType } from '../dtype.js';
import type { Expression } from '../expression.js';
import {
  type AttentionGradKernel,
  type AttentionKernel,
  type Conv2dGeometry,
  type Epilogue,
  type GroupNormGradKernel,
  type GroupNormKernel,
  type Kernel,
  kernelOutputs,
  type MapKernel,
  type MatmulKernel,
  type ReduceKernel,
} from '../kernel.js';
import type { InPlace } from '../kernel-map.js';
import { orderReduction } from '../reduce-order.js';
import { elementCount } from '../view.js';
import { float32Word, float64Words } from '../words.js';
import * as code from './assembly/opcodes.js';
import { compileProgram, type Program } from './program.js';
import { planTasks, reduceScratch, reduceThreadBytes, reductionCode } from './reduce.js';

export interface KernelCode {
  readonly opcode: number;
  /** Words that the kernel reads, in the order that its assembly states. */
  readonly sizes: readonly number[];
  readonly program?: Program;
  /** Memory shared by all threads while it runs; undefined where the assembly decides how work is cut, and knows. */
  readonly scratchBytes: number | undefined;
  /** Memory of each thread's own. */
  readonly threadBytes: number;
}

/** What runs the kernel; undefined if it has nothing to compute. */
export function compileKernel(kernel: Kernel, inPlace: InPlace): KernelCode | undefined {
  if (kernelOutputs(kernel).every(({ elements }) => elements === 0)) return undefined;
  switch (kernel.kind) {
    case 'map':
      return compileMap(kernel, inPlace);
    case 'reduce':
      return compileReduce(kernel);
    case 'matmul':
      return compileMatmul(kernel);
    case 'conv2d':
      return withEpilogue(code.CONV2D, kernel, geometryWords(kernel.geometry));
    case 'conv2dInputGrad':
      return withEpilogue(code.CONV2D_INPUT_GRAD, kernel, geometryWords(kernel.geometry));
    case 'conv2dFilterGrad':
      return fixed(code.CONV2D_FILTER_GRAD, geometryWords(kernel.geometry));
    case 'groupNorm':
      return compileGroupNorm(code.GROUP_NORM, kernel, 3, [float32Word(kernel.epsilon)]);
    case 'groupNormGrad':
      return compileGroupNorm(code.GROUP_NORM_GRAD, kernel, 2, []);
    case 'layerNorm': {
      const chunk = rowsOfTask(kernel.rows, kernel.channels);
      const chunks = Math.ceil(kernel.rows / chunk);
      return fixed(code.LAYER_NORM, [
        kernel.rows,
        kernel.channels,
        chunk,
        chunks,
        float32Word(kernel.epsilon),
      ]);
    }
    case 'layerNormGrad': {
      const chunk = rowsOfTask(kernel.rows, kernel.channels);
      const chunks = Math.ceil(kernel.rows / chunk);
      const scratchBytes = 2 * chunks * rowBytes(kernel.channels);
      return fixed(code.LAYER_NORM_GRAD, [kernel.rows, kernel.channels, chunk, chunks], scratchBytes);
    }
    case 'attention':
      return fixed(code.ATTENTION, attentionWords(kernel));
    case 'attentionGrad':
      return fixed(code.ATTENTION_GRAD, attentionWords(kernel));
    case 'softmax': {
      const { rows, columns } = kernel;
      return fixed(code.SOFTMAX, [rows, columns, rowsOfTask(rows, columns)]);
    }
    case 'gather': {
      const { rows, columns, count } = kernel;
      return fixed(code.GATHER, [rows, columns, count, rowsOfTask(count, columns)]);
    }
    case 'gatherGrad': {
      const { rows, columns, count } = kernel;
      // Every task looks at all indices, so there are only a few.
      const chunk = Math.max(rowsOfTask(rows, columns), Math.ceil(rows / FEW_TASKS));
      return fixed(code.GATHER_GRAD, [rows, columns, count, chunk]);
    }
    default:
      return kernel satisfies never;
  }
}

/** Elements of a matrix that make a task of its rows. */
const TASK_ELEMENTS = 8192;
const FEW_TASKS = 16;

/** Chunks of groupNorm: short enough to sum in float32, and about as much as is worth a task. */
const CHUNK_POSITIONS = 512;
const CHUNK_ELEMENTS = 16384;
/** Images up to this size stay in a core's cache from one pass to the next. */
const CACHED_ELEMENTS = 131072;

/** Price of what a thread claims of a map at once, in simple operations: some ten microseconds. */
const CHUNK_COST = 32768;

function compileMap({ shape, expression, inputs }: MapKernel, inPlace: InPlace): KernelCode {
  const program = compileProgram({
    shape,
    expression,
    inPlace,
    outputPointer: inputs.length,
    storesResults: true,
    isAligned: true,
  });
  const { block, cost, threadBytes } = program;
  const chunk = block * Math.max(1, Math.floor(CHUNK_COST / (cost + 2) / block));
  return { opcode: code.MAP, sizes: [elementCount(shape), chunk], program, scratchBytes: 0, threadBytes };
}

function compileReduce(kernel: ReduceKernel): KernelCode {
  const order = orderReduction(kernel);
  const { outer, rows, inner } = order;
  const { dtype } = kernel.expression.instructions[kernel.expression.results[0]];
  if (rows === 0) return compileMap(reductionOfNothing(kernel, dtype), []);

  const program = compileProgram({
    shape: order.shape,
    expression: order.expression,
    inPlace: [],
    outputPointer: kernel.inputs.length,
    storesResults: false,
    isAligned: false,
  });
  const tasks = planTasks(order, program.block);
  const divisor = kernel.reduction === 'mean' ? rows : 1;
  return {
    opcode: code.REDUCE,
    sizes: [
      reductionCode(kernel.reduction, dtype),
      outer,
      rows,
      inner,
      tasks.tile,
      tasks.tiles,
      tasks.slices,
      tasks.sliceRows,
      tasks.group,
      program.threadBytes,
      ...float64Words(divisor),
    ],
    program,
    scratchBytes: reduceScratch(order, tasks),
    threadBytes: reduceThreadBytes(program, tasks),
  };
}

/** A map that fills the output with the sum, maximum or mean of no elements. */
function reductionOfNothing(kernel: ReduceKernel, dtype: DType): MapKernel {
  const shape = kernel.shape.filter((_, d) => !kernel.axes.includes(d));
  const lowest = { float32: -Infinity, float16: -Infinity, int32: -(2 ** 31), uint32: 0, bool: 0 }[dtype];
  const value = { sum: 0, max: lowest, mean: Number.NaN }[kernel.reduction];
  const expression: Expression = { instructions: [{ op: 'constant', dtype, value }], results: [0] };
  return { kind: 'map', inputs: kernel.inputs, scalars: kernel.scalars, shape, expression };
}

function compileMatmul(kernel: MatmulKernel): KernelCode {
  const { n, k, transposeA, transposeB, batchedA, batchedB } = kernel;
  // One B for matrices A that lie one after the other is one tall product.
  const isTall = batchedA && !batchedB && !transposeA;
  const batch = isTall ? 1 : kernel.batch;
  const m = isTall ? kernel.batch * kernel.m : kernel.m;
  const batchStrideA = batchedA ? m * k : 0;
  const batchStrideB = batchedB ? k * n : 0;
  const sizes = [batch, m, n, k, transposeA ? 1 : 0, transposeB ? 1 : 0, batchStrideA, batchStrideB];
  return withEpilogue(code.MATMUL, kernel, sizes);
}

/** `scratchRows` rows of scratch memory for each chunk, and as many for each image. */
function compileGroupNorm(
  opcode: number,
  kernel: GroupNormKernel | GroupNormGradKernel,
  scratchRows: number,
  extraSizes: readonly number[],
): KernelCode {
  const { batch, positions, channels, groups, silu } = kernel;
  const wanted = Math.min(CHUNK_POSITIONS, Math.max(1, Math.floor(CHUNK_ELEMENTS / channels)));
  const chunk = Math.ceil(positions / Math.ceil(positions / wanted));
  const chunks = Math.ceil(positions / chunk);
  const image = positions * channels;
  const takesWholeImages = chunks === 1 || (batch >= FEW_TASKS / 2 && image <= CACHED_ELEMENTS);
  return fixed(
    opcode,
    [
      batch,
      positions,
      channels,
      groups,
      silu ? 1 : 0,
      chunk,
      chunks,
      takesWholeImages ? 1 : 0,
      ...extraSizes,
    ],
    scratchRows * batch * (chunks + 1) * rowBytes(channels),
  );
}

function rowsOfTask(rows: number, columns: number): number {
  return Math.min(rows, Math.max(1, Math.floor(TASK_ELEMENTS / columns)));
}

/** Bytes of a row of floats, whole vectors. */
function rowBytes(channels: number): number {
  return 16 * Math.ceil(channels / 4);
}

function attentionWords(kernel: AttentionKernel | AttentionGradKernel): number[] {
  const { batch, heads, queries, keys, headDim, scale } = kernel;
  return [batch, heads, queries, keys, headDim, float32Word(scale)];
}

function withEpilogue(
  opcode: number,
  { epilogue, inputs }: { readonly epilogue?: Epilogue; readonly inputs: readonly DType[] },
  sizes: readonly number[],
): KernelCode {
  if (epilogue === undefined) return fixed(opcode, sizes);
  const program = compileProgram({
    ...epilogue,
    inPlace: [],
    outputPointer: inputs.length,
    storesResults: true,
    isAligned: false,
  });
  return { ...fixed(opcode, sizes), program, threadBytes: program.threadBytes };
}

function fixed(opcode: number, sizes: readonly number[], scratchBytes?: number): KernelCode {
  return { opcode, sizes, scratchBytes, threadBytes: 0 };
}

/** In the order in which the kernels read them. */
function geometryWords(g: Conv2dGeometry): number[] {
  return [
    g.batch,
    g.inHeight,
    g.inWidth,
    g.inChannels,
    g.outHeight,
    g.outWidth,
    g.outChannels,
    g.kernelHeight,
    g.kernelWidth,
    g.strideHeight,
    g.strideWidth,
    g.padTop,
    g.padLeft,
    g.dilationHeight,
    g.dilationWidth,
  ];
}
