/** Kernels as the WebAssembly code takes them: an opcode, a program for the expression, sizes, and the memory they work in. */

import type { DType } from '../dtype.js';
import type { Expression } from '../expression.js';
import {
  type Conv2dGeometry,
  type Epilogue,
  type Kernel,
  kernelOutputs,
  type MapKernel,
  type MatmulKernel,
  type ReduceKernel,
} from '../kernel.js';
import { elementCount } from '../view.js';
import * as code from './assembly/opcodes.js';
import { compileProgram, type Program, type ProgramOptions } from './program.js';
import { orderReduction, planTasks, reduceScratch, reduceThreadBytes, reductionCode } from './reduce.js';
import { conv2dFilterGradScratch, conv2dInputGradScratch, conv2dScratch, matmulScratch } from './scratch.js';
import { float64Words } from './words.js';

export interface KernelCode {
  readonly opcode: number;
  /** Words that the kernel reads, in the order that its assembly states. */
  readonly sizes: readonly number[];
  readonly program?: Program;
  /** Memory shared by all threads while it runs, and memory of each thread's own. */
  readonly scratchBytes: number;
  readonly threadBytes: number;
}

/** Pairs `[input, output]` of a map that are one buffer. */
export type InPlace = ProgramOptions['inPlace'];

/** What runs the kernel on so many threads; undefined if it has nothing to compute. */
export function compileKernel(kernel: Kernel, threads: number, inPlace: InPlace): KernelCode | undefined {
  if (kernelOutputs(kernel).every(({ elements }) => elements === 0)) return undefined;
  switch (kernel.kind) {
    case 'map':
      return compileMap(kernel, inPlace);
    case 'reduce':
      return compileReduce(kernel);
    case 'matmul':
      return compileMatmul(kernel, threads);
    case 'conv2d': {
      const scratchBytes = conv2dScratch(kernel.geometry, threads);
      return withEpilogue(code.CONV2D, kernel, geometryWords(kernel.geometry), scratchBytes);
    }
    case 'conv2dInputGrad': {
      const scratchBytes = conv2dInputGradScratch(kernel.geometry, threads);
      return withEpilogue(code.CONV2D_INPUT_GRAD, kernel, geometryWords(kernel.geometry), scratchBytes);
    }
    case 'conv2dFilterGrad': {
      const scratchBytes = conv2dFilterGradScratch(kernel.geometry, threads);
      return fixed(code.CONV2D_FILTER_GRAD, geometryWords(kernel.geometry), scratchBytes);
    }
    default:
      throw new RangeError(`no ${kernel.kind} yet`);
  }
}

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
  const lowest = { float32: -Infinity, int32: -(2 ** 31), uint32: 0, bool: 0 }[dtype];
  const value = { sum: 0, max: lowest, mean: dtype === 'float32' ? Number.NaN : 0 }[kernel.reduction];
  const expression: Expression = { instructions: [{ op: 'constant', dtype, value }], results: [0] };
  return { kind: 'map', inputs: kernel.inputs, scalars: kernel.scalars, shape, expression };
}

function compileMatmul(kernel: MatmulKernel, threads: number): KernelCode {
  const { batch, m, n, k, transposeA, transposeB } = kernel;
  const batchStrideA = kernel.batchedA ? m * k : 0;
  const batchStrideB = kernel.batchedB ? k * n : 0;
  const scratchBytes = matmulScratch({ batch, m, n, k, transposeA, batchStrideA, batchStrideB }, threads);
  const sizes = [batch, m, n, k, transposeA ? 1 : 0, transposeB ? 1 : 0, batchStrideA, batchStrideB];
  return withEpilogue(code.MATMUL, kernel, sizes, scratchBytes);
}

function withEpilogue(
  opcode: number,
  { epilogue, inputs }: { readonly epilogue?: Epilogue; readonly inputs: readonly DType[] },
  sizes: readonly number[],
  scratchBytes: number,
): KernelCode {
  if (epilogue === undefined) return fixed(opcode, sizes, scratchBytes);
  const program = compileProgram({
    ...epilogue,
    inPlace: [],
    outputPointer: inputs.length,
    storesResults: true,
    isAligned: false,
  });
  return { opcode, sizes, program, scratchBytes, threadBytes: program.threadBytes };
}

function fixed(opcode: number, sizes: readonly number[], scratchBytes = 0): KernelCode {
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
