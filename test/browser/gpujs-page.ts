/** What the page of the gpujs tests can do: compute in WebGL2, and the same on other devices. Tests call `window.gpujs`. */

import {
  attention,
  conv2d,
  type DeviceName,
  DmpoError,
  embedding,
  Generator,
  groupNorm,
  layerNorm,
  openDevice,
  type Tensor,
  tensor,
  valueAndGrad,
  where,
} from '@dmpo/core';
import { tinyTraining } from './tiny-training.js';

interface Operation {
  readonly shapes: readonly (readonly number[])[];
  apply(...operands: readonly Tensor[]): Tensor;
}

const operation = (shapes: Operation['shapes'], apply: (...operands: Tensor[]) => Tensor): Operation => ({
  shapes,
  apply: (...operands) => apply(...operands),
});

/** Every kind of kernel. */
const operations: Readonly<Record<string, Operation>> = {
  'a pointwise chain': operation([[3, 5], [5]], (x, y) =>
    x.mul(y).tanh().add(x.sigmoid()).sub(y.abs().sqrt()),
  ),
  'a choice by comparison': operation(
    [
      [4, 6],
      [4, 6],
    ],
    (x, y) => where(x.lt(y).logicalAnd(y.lt(1)).logicalOr(y.ge(-1).logicalNot()), x.exp(), y.neg()),
  ),
  'more operands than OpenGL has textures': operation(new Array(20).fill([6]), (...operands) =>
    operands.reduce((total, operand) => total.mul(0.5).add(operand)),
  ),
  'padded and transposed views': operation([[5, 7]], (x) =>
    x
      .permute(1, 0)
      .pad([
        [1, 2],
        [0, 1],
      ])
      .mul(2),
  ),
  'functions that OpenGL has only roughly': operation([[40]], (x) =>
    x.mul(300).sin().add(x.abs().log1p()).add(x.erf()).add(x.pow(3)),
  ),
  'a sum and a maximum': operation([[6, 50]], (x) =>
    x
      .square()
      .sum([1])
      .add(x.max([1])),
  ),
  'a matrix product': operation(
    [
      [2, 9, 17],
      [17, 11],
    ],
    (x, y) => x.matmul(y).add(1).relu(),
  ),
  'a convolution with stride': operation(
    [
      [2, 7, 6, 5],
      [4, 3, 3, 5],
    ],
    (x, w) => conv2d(x, w, { stride: 2, padding: 1 }).silu(),
  ),
  attention: operation(
    [
      [2, 9, 2, 8],
      [2, 7, 2, 8],
      [2, 7, 2, 8],
    ],
    (q, k, v) => attention(q, k, v),
  ),
  'group norm': operation([[2, 3, 3, 8], [8], [8]], (x, scale, shift) =>
    groupNorm(x, scale, shift, { groups: 2, activation: 'silu' }),
  ),
  'layer norm': operation([[5, 12], [12], [12]], (x, scale, shift) => layerNorm(x, scale, shift)),
  softmax: operation([[4, 33]], (x) => x.softmax()),
  'rows of a table': operation([[5, 6]], (table) => embedding(table, tensor(Int32Array.of(3, 0, 3), [3]))),
  'random numbers': operation([[50]], (x) => x.add(new Generator(7).normal([50]))),
};

const programs = {
  operationNames: () => Object.keys(operations),

  /** How far the operation's result and gradients lie from float64, relative to the largest number of each. */
  async errorOf(name: string): Promise<number> {
    const expected = await outcome(name, 'reference');
    const actual = await outcome(name, 'gpujs');
    return Math.max(...expected.map((numbers, i) => relativeError(actual[i] ?? [], numbers)));
  },

  async description(): Promise<string> {
    const device = await openDevice('gpujs');
    await device.close();
    return device.description;
  },

  train: (device: DeviceName) => tinyTraining(device),

  /** The error of allocating a buffer of so many elements. */
  async allocate(elements: number) {
    const device = await openDevice('gpujs');
    const failure = await failureOf(async () => device.allocate(4 * elements));
    await device.close();
    return failure;
  },

  /** What is computed before the browser takes the OpenGL context away, and the errors of what is asked for afterwards. */
  async loseContext() {
    const contexts = recordContexts();
    const device = await openDevice('gpujs');
    const x = tensor(Float32Array.of(1, 2, 3), [3]);
    const before = Array.from(await x.mul(2).data());
    for (const context of contexts.recorded) context.getExtension('WEBGL_lose_context')?.loseContext();
    const failures = [await failureOf(() => x.mul(2).data()), await failureOf(() => device.finish())];
    contexts.stop();
    await device.close();
    return { before, failures };
  },
};

declare global {
  interface Window {
    gpujs: typeof programs;
  }
}
window.gpujs = programs;

/** The result and, of the sum of its squares, the gradients. */
async function outcome(name: string, deviceName: DeviceName): Promise<(readonly number[])[]> {
  const { shapes, apply } = operations[name] as Operation;
  const device = await openDevice(deviceName);
  const operands = shapes.map((shape, i) => tensor(numbers(shape, i), shape));
  let result: Tensor | undefined;
  const { grads } = valueAndGrad(() => {
    result = apply(...operands);
    return result.square().sum();
  }, operands);
  const found = [];
  for (const one of [result as Tensor, ...grads]) found.push(Array.from(await one.data()));
  await device.close();
  return found;
}

function numbers(shape: readonly number[], seed: number): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, (_, i) => 1.5 * Math.sin(7.3 * i + 3.1 * seed + 1));
}

function relativeError(actual: readonly number[], expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)))) / largest;
}

async function failureOf(attempt: () => Promise<unknown>) {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return error instanceof DmpoError
      ? { code: error.code, message: error.message }
      : { code: String(error) };
  }
}

/** WebGL contexts that are made from now on. */
function recordContexts() {
  const recorded: WebGL2RenderingContext[] = [];
  const canvas = HTMLCanvasElement.prototype;
  const { getContext } = canvas;
  canvas.getContext = function (this: HTMLCanvasElement, ...settings: unknown[]) {
    const context = Reflect.apply(getContext, this, settings);
    if (context instanceof WebGL2RenderingContext) recorded.push(context);
    return context;
  };
  return {
    recorded,
    stop() {
      canvas.getContext = getContext;
    },
  };
}
