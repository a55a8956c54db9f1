// What a kernel says about itself: its key, the work it takes and the memory it moves, counted by hand.
import { describe, expect, it } from 'vitest';
import {
  type Conv2dGeometry,
  type Kernel,
  kernelBytes,
  kernelFlops,
  kernelKey,
  type MatmulKernel,
} from './kernel.js';
import { ExpressionBuilder } from './testing/expression-builder.js';

const float32 = (count: number) => new Array<'float32'>(count).fill('float32');

/** a * b + a over [3, 4], b being one row: two operations an element. */
function multiplyAdd(): Kernel {
  const shape = [3, 4];
  const builder = new ExpressionBuilder(shape);
  const a = builder.load(0);
  const b = builder.load(1, { view: { offset: 0, strides: [0, 1] } });
  const expression = builder.build(builder.apply('add', builder.apply('mul', a, b), a));
  return { kind: 'map', inputs: float32(2), scalars: [], shape, expression };
}

function matmul(changes: Partial<MatmulKernel> = {}): MatmulKernel {
  return {
    kind: 'matmul',
    inputs: float32(2),
    scalars: [],
    batch: 2,
    m: 3,
    n: 5,
    k: 7,
    transposeA: false,
    transposeB: false,
    batchedA: true,
    batchedB: true,
    ...changes,
  };
}

const geometry: Conv2dGeometry = {
  batch: 2,
  inHeight: 6,
  inWidth: 6,
  inChannels: 3,
  outHeight: 3,
  outWidth: 3,
  outChannels: 4,
  kernelHeight: 3,
  kernelWidth: 3,
  strideHeight: 2,
  strideWidth: 2,
  padTop: 1,
  padLeft: 1,
  dilationHeight: 1,
  dilationWidth: 1,
};

describe('kernelFlops and kernelBytes', () => {
  it.each<[string, Kernel, flops: number, elements: number]>([
    ['a map with a broadcast operand', multiplyAdd(), 2 * 12, 12 + 4 + 12],
    ['a matmul', matmul(), 2 * 2 * 3 * 5 * 7, 2 * (3 * 7 + 7 * 5 + 3 * 5)],
    ['a matmul with one right side', matmul({ batchedB: false }), 420, 2 * (21 + 15) + 35],
    [
      'a convolution',
      { kind: 'conv2d', inputs: float32(2), scalars: [], geometry },
      2 * (2 * 3 * 3 * 4) * (3 * 3 * 3),
      2 * 6 * 6 * 3 + 4 * 3 * 3 * 3 + 2 * 3 * 3 * 4,
    ],
    [
      'a gather',
      { kind: 'gather', inputs: ['float32', 'int32'], scalars: [], rows: 9, columns: 2, count: 5 },
      0,
      33,
    ],
  ])('count %s', (_, kernel, flops, elements) => {
    expect(kernelFlops(kernel)).toBe(flops);
    expect(kernelBytes(kernel)).toBe(4 * elements);
  });

  it('count what an epilogue computes and reads', () => {
    const shape = [2, 3, 5];
    const builder = new ExpressionBuilder(shape);
    const bias = builder.load(2, { view: { offset: 0, strides: [0, 0, 1] } });
    const expression = builder.build(
      builder.apply('sigmoid', builder.apply('add', builder.accumulator(), bias)),
    );
    const kernel = matmul({ inputs: float32(3), epilogue: { shape, expression } });
    expect(kernelFlops(kernel) - kernelFlops(matmul())).toBe(2 * 30);
    expect(kernelBytes(kernel) - kernelBytes(matmul())).toBe(4 * 5);
  });
});

describe('kernelKey', () => {
  it('is the same for equal kernels and differs with every size', () => {
    expect(kernelKey(matmul())).toBe(kernelKey(matmul()));
    const changes = [{ batch: 3 }, { m: 4 }, { n: 4 }, { k: 4 }, { transposeA: true }, { batchedB: false }];
    expect(new Set([{}, ...changes].map((change) => kernelKey(matmul(change)))).size).toBe(7);
  });

  it('tells apart the constants that JSON writes alike', () => {
    const keys = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) => {
      const builder = new ExpressionBuilder([1]);
      const expression = builder.build(builder.constant(value));
      return kernelKey({ kind: 'map', inputs: [], scalars: [], shape: [1], expression });
    });
    expect(new Set(keys).size).toBe(5);
  });
});
