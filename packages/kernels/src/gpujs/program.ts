/** Turns a kernel into functions compiled by gpu.js, one per pass of its portable program. */

import type { GpuJsMode } from '../device.js';
import type { Expression } from '../expression.js';
import { type Kernel, kernelInputElements } from '../kernel.js';
import type { PointwiseOp } from '../pointwise.js';
import { portableProgram } from '../portable/program.js';
import type { PassArgument, PortablePass } from '../portable/types.js';
import { createFloat64Gpu, type Gpu, type GpuJs } from './library.js';
import { type ArrayLimit, checkLimit, MOST_COUNTED } from './mode.js';
import { type PassText, passText } from './pass-text.js';

export type Numbers = Float32Array | Float64Array | Int32Array | Uint32Array;

export interface CompiledProgram {
  /** From the numbers of the inputs, each as long as the kernel reads, to new arrays, one per output. */
  run(inputs: readonly Numbers[], scalars: readonly number[]): Numbers[];
  destroy(): void;
}

interface CompiledKernel {
  run(values: readonly Numbers[]): Numbers;
  destroy(): void;
}

export class Compiler {
  readonly #library: GpuJs;
  readonly #mode: GpuJsMode;
  readonly #limit: ArrayLimit | undefined;
  /** One for all kernels, which share its OpenGL context. */
  readonly #shared: Gpu | undefined;

  constructor(library: GpuJs, mode: GpuJsMode, limit: ArrayLimit | undefined) {
    this.#library = library;
    this.#mode = mode;
    this.#limit = limit;
    if (mode === 'webgl2' || mode === 'headlessgl') this.#shared = new library.GPU({ mode });
  }

  /** Nothing is compiled before the first run: gpu.js does it then. Throws `BUFFER_TOO_LARGE`. */
  compile(kernel: Kernel): CompiledProgram {
    const { passes, outputs } = portableProgram(kernel);
    const inputElements = kernelInputElements(kernel);
    const sizeOf = (argument: PassArgument): number => {
      if (argument === 'scalars') return kernel.scalars.length;
      return 'input' in argument ? inputElements[argument.input] : passes[argument.pass].elements;
    };
    const compiled = passes.map((pass) => {
      checkLimit(this.#limit, pass.elements, `The result of a pass of ${kernel.kind}`);
      const text = passText(pass);
      const isFloat64 =
        this.#mode === 'cpu' ||
        needsFloat64(kernel, pass) ||
        text.arguments.length > MOST_TEXTURES ||
        Math.max(pass.elements, ...text.arguments.map(sizeOf)) > MOST_COUNTED;
      const compute = isFloat64 ? this.#float64Kernel(pass, text) : this.#float32Kernel(pass, text);
      return { ...compute, arguments: text.arguments };
    });
    return {
      run(inputs, scalars) {
        // As on every device; the scalars of integers have all their bits.
        const rounded = Float64Array.from(scalars, (value, slot) =>
          kernel.scalars[slot] === 'float32' ? Math.fround(value) : value,
        );
        const results: Numbers[] = [];
        const numbersOf = (argument: PassArgument): Numbers => {
          if (argument === 'scalars') return rounded;
          return 'input' in argument ? inputs[argument.input] : results[argument.pass];
        };
        passes.forEach(({ elements }, i) => {
          const pass = compiled[i];
          results.push(elements === 0 ? empty : pass.run(pass.arguments.map(numbersOf)));
        });
        return outputs.map((pass) => results[pass]);
      },
      destroy() {
        for (const pass of compiled) pass.destroy();
      },
    };
  }

  isContextLost(): boolean {
    return this.#shared?.context?.isContextLost() ?? false;
  }

  async close(): Promise<void> {
    await this.#shared?.destroy();
  }

  #float64Kernel(pass: PortablePass, text: PassText): CompiledKernel {
    const kernel = createKernel(createFloat64Gpu(this.#library), pass, text);
    // Its declarations do not know of the arrays that it reads as they are.
    const compute = kernel as (...values: readonly Numbers[]) => unknown;
    return {
      run(values) {
        const result = compute(...values);
        if (result instanceof Float64Array) return result;
        throw new TypeError('this version of gpu.js returns no float64; install gpu.js 2.24.1');
      },
      destroy: () => kernel.destroy(),
    };
  }

  #float32Kernel(pass: PortablePass, text: PassText): CompiledKernel {
    const kernel = createKernel(this.#shared ?? new this.#library.GPU({ mode: this.#mode }), pass, text);
    return {
      run: (values) => kernel(...values.map(asFloat32)) as Float32Array,
      destroy: () => kernel.destroy(),
    };
  }
}

const empty = new Float32Array(0);

/** Every OpenGL has as many for a shader. */
const MOST_TEXTURES = 8;

/** gpu.js ends a loop after 1000 rounds unless told otherwise. */
const MOST_ROUNDS = 2 ** 31 - 1;

function createKernel(gpu: Gpu, { elements, constants }: PortablePass, { body, helpers }: PassText) {
  return gpu
    .createKernel(body, { output: [elements], constants, precision: 'single' })
    .setLoopMaxIterations(MOST_ROUNDS)
    .setFunctions(helpers);
}

function asFloat32(values: Numbers): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/**
 * Whether float32 is too coarse for a pass: for integers of 32 bits and some functions; for sums with a single accumulator of many
 * numbers of one sign; and for the mean that normalisation takes from numbers far from zero.
 */
function needsFloat64(kernel: Kernel, { body }: PortablePass): boolean {
  switch (kernel.kind) {
    case 'reduce':
    case 'groupNorm':
    case 'groupNormGrad':
    case 'layerNorm':
    case 'layerNormGrad':
      return true;
    case 'map':
      return hasExactOperations(kernel.expression);
    case 'matmul':
    case 'conv2d':
    case 'conv2dInputGrad':
      // The epilogue, if it is one, is the pass that is made of text.
      return (
        typeof body === 'string' &&
        kernel.epilogue !== undefined &&
        hasExactOperations(kernel.epilogue.expression)
      );
    case 'conv2dFilterGrad':
    case 'attention':
    case 'attentionGrad':
    case 'softmax':
    case 'gather':
    case 'gatherGrad':
      return false;
    default:
      return kernel satisfies never;
  }
}

function hasExactOperations({ instructions }: Expression): boolean {
  return instructions.some(
    ({ op, dtype }) => coarseOperations.includes(op) || dtype === 'int32' || dtype === 'uint32',
  );
}

/** The series of erf piles up roundings; OpenGL has rough sines, log1p as log(1 + a), and no powers of negative numbers. */
const coarseOperations: readonly string[] = ['erf', 'log1p', 'sin', 'cos', 'pow'] satisfies PointwiseOp[];
