// float16 on every device: stored and converted where the device has it, refused by name where it has not.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DType } from '../dtype.js';
import { float16Value, roundFloat16 } from '../float16.js';
import {
  type Conv2dGeometry,
  type Kernel,
  kernelInputElements,
  kernelOutputs,
  type MapKernel,
} from '../kernel.js';
import { expectMatchesReference, reference } from '../testing/compare.js';
import { deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';

const withFloat16 = deviceLabels.filter((label) => label.startsWith('webgpu'));
const without = deviceLabels.filter((label) => !withFloat16.includes(label));

/** A map from one dtype to another. */
function conversion(from: DType, to: 'float32' | 'float16', count: number): MapKernel {
  const e = new ExpressionBuilder([count]);
  const value = e.load(0, { dtype: from });
  const expression = e.build(
    from === to ? value : e.apply(to === 'float16' ? 'toFloat16' : 'toFloat32', value),
  );
  return { kind: 'map', inputs: [from], scalars: [], shape: [count], expression };
}

describe.each([...withFloat16, graphicsCard])('float16 on %s', (label) => {
  const device = useDevice(label);

  it('is read and written on the host, rounded', async () => {
    for (const count of [1, 2, 3, 4, 7, 64]) {
      const data = Float32Array.from({ length: count }, (_, i) => (i - 3.3) ** 5);
      const buffer = device().allocate(2 * count);
      device().write(buffer, 'float16', data);
      expect(await device().read(buffer, 'float16', count)).toEqual(data.map(roundFloat16));
      device().free(buffer);
    }
  });

  it('widens each of its numbers exactly, and stores them as they are', async () => {
    const all = Float32Array.from({ length: 0x10000 }, (_, bits) => float16Value(bits));
    for (const to of ['float32', 'float16'] as const) {
      const [result] = await runKernel(device(), conversion('float16', to, all.length), [all]);
      expect(Array.from(result)).toEqual(Array.from(all));
    }
  });

  it('rounds what it stores to the nearest, ties to even, and beyond the largest to infinity', async () => {
    const finite = Array.from({ length: 0x7bff }, (_, bits) => [float16Value(bits), float16Value(bits + 1)]);
    const middles = finite.flatMap(([low, high]) => {
      const middle = (low + high) / 2;
      return [middle, middle - (high - low) / 256, middle + (high - low) / 256];
    });
    const data = Float32Array.from([
      ...middles,
      ...middles.map((x) => -x),
      65519.99,
      65520,
      -65520,
      1e38,
      Number.NaN,
    ]);
    const [result] = await runKernel(device(), conversion('float32', 'float16', data.length), [data]);
    expect(Array.from(result)).toEqual(Array.from(data, roundFloat16));
  });

  it('keeps neighbours apart that share a word, for every count', async () => {
    for (const count of [1, 2, 3, 5, 6, 127, 129]) {
      const data = normals(count, count);
      const [result] = await runKernel(device(), conversion('float32', 'float16', count), [data]);
      expect(Array.from(result)).toEqual(Array.from(data, roundFloat16));
    }
  });

  it('is updated in place', async () => {
    for (const count of [1, 3, 4, 7, 64]) {
      const e = new ExpressionBuilder([count]);
      const value = e.apply('toFloat32', e.load(0, { dtype: 'float16' }));
      const expression = e.build(e.apply('toFloat16', e.apply('mul', value, value)));
      const kernel: MapKernel = { kind: 'map', inputs: ['float16'], scalars: [], shape: [count], expression };
      const data = normals(count, count).map(roundFloat16);
      const buffer = device().allocate(2 * count);
      device().write(buffer, 'float16', data);
      device().submit([{ kernel, inputs: [buffer], outputs: [buffer], scalars: [] }]);
      const result = await device().read(buffer, 'float16', count);
      device().free(buffer);
      expect(Array.from(result)).toEqual(Array.from(data, (x) => roundFloat16(x * x)));
    }
  });

  it('rounds within an expression', async () => {
    const e = new ExpressionBuilder([5]);
    const rounded = e.apply('toFloat32', e.apply('toFloat16', e.load(0)));
    const expression = e.build(e.apply('sub', e.load(0), rounded));
    const kernel: MapKernel = { kind: 'map', inputs: ['float32'], scalars: [], shape: [5], expression };
    const data = normals(1, 5);
    const [result] = await runKernel(device(), kernel, [data]);
    expect(Array.from(result)).toEqual(Array.from(data, (x) => Math.fround(x - roundFloat16(x))));
  });

  it('multiplies float16 matrices in float32', async () => {
    const sizes = fc.record({
      m: size(1, 70),
      n: size(1, 70),
      k: size(1, 70),
      seed: seeds,
      transposeA: fc.boolean(),
    });
    const types = fc.record({ a: fc.constantFrom('float16', 'float32'), toHalf: fc.boolean() } as const);
    await forAll(fc.tuple(sizes, types), 20, async ([{ seed, ...matrix }, { a, toHalf }]) => {
      const shape = [matrix.m, matrix.n];
      const e = new ExpressionBuilder(shape);
      const expression = e.build(e.apply('toFloat16', e.accumulator()));
      const kernel: Kernel = {
        kind: 'matmul',
        ...matrix,
        batch: 1,
        transposeB: false,
        batchedA: false,
        batchedB: false,
        inputs: [a, 'float16'],
        scalars: [],
        ...(toHalf ? { epilogue: { shape, expression } } : {}),
      };
      expect(kernelOutputs(kernel)[0].dtype).toBe(toHalf ? 'float16' : 'float32');
      await check(kernel, seed);
    });
  });

  const geometry: Conv2dGeometry = {
    batch: 2,
    inHeight: 7,
    inWidth: 6,
    inChannels: 8,
    outHeight: 7,
    outWidth: 6,
    outChannels: 12,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    padTop: 1,
    padLeft: 1,
    dilationHeight: 1,
    dilationWidth: 1,
  };
  const geometries: Record<string, Conv2dGeometry> = {
    plain: geometry,
    'odd channels': { ...geometry, inChannels: 3, outChannels: 5 },
    strided: { ...geometry, strideHeight: 2, strideWidth: 2, outHeight: 4, outWidth: 3 },
    '1x1': { ...geometry, kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 },
  };

  it.each(Object.keys(geometries))('convolves float16 in float32, with both gradients: %s', async (name) => {
    for (const kind of ['conv2d', 'conv2dInputGrad', 'conv2dFilterGrad'] as const) {
      await check({ kind, geometry: geometries[name], inputs: ['float16', 'float16'], scalars: [] }, 3);
    }
  });

  it('attends to float16 in float32, with gradients', async () => {
    for (const headDim of [8, 6]) {
      const sizes = { batch: 2, heads: 2, queries: 5, keys: 7, headDim, scale: 0.4 };
      const half = new Array<DType>(3).fill('float16');
      const forward: Kernel = { kind: 'attention', ...sizes, inputs: half, scalars: [] };
      const inputs = kernelInputElements(forward).map((elements, i) =>
        normals(i, elements).map(roundFloat16),
      );
      const [o, logsumexp] = await expectMatchesReference(device(), forward, inputs);
      const backward: Kernel = {
        kind: 'attentionGrad',
        ...sizes,
        inputs: ['float32', ...half, 'float32', 'float32'],
        scalars: [],
      };
      const saved = [Float32Array.from(o), Float32Array.from(logsumexp)];
      await expectMatchesReference(device(), backward, [normals(9, o.length), ...inputs, ...saved]);
    }
  });

  it('stores the results of norms as float16', async () => {
    for (const channels of [12, 15]) {
      const common = { channels, epsilon: 1e-5, inputs: new Array<DType>(3).fill('float32'), scalars: [] };
      const half = { resultType: 'float16' } as const;
      await check(
        { kind: 'groupNorm', batch: 2, positions: 33, groups: 3, silu: true, ...common, ...half },
        4,
      );
      await check(
        { kind: 'groupNorm', batch: 2, positions: 600, groups: 3, silu: false, ...common, ...half },
        5,
      );
      await check({ kind: 'layerNorm', rows: 40, ...common, ...half }, 6);
    }
  });

  async function check(kernel: Kernel, seed: number): Promise<void> {
    const inputs = kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
    await expectMatchesReference(device(), kernel, inputs);
  }
});

describe.each(without)('float16 on %s', (label) => {
  const device = useDevice(label);
  const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_DTYPE' });

  it('is refused by name', async () => {
    expect(device().hasFloat16).toBe(false);
    await expect(runKernel(device(), conversion('float32', 'float16', 4), [[1, 2, 3, 4]])).rejects.toThrow(
      unsupported,
    );
    const buffer = device().allocate(8);
    expect(() => device().write(buffer, 'float16', [1])).toThrow(unsupported);
    await expect(device().read(buffer, 'float16', 1)).rejects.toThrow(unsupported);
    device().free(buffer);
  });
});

describe('kernels with float16', () => {
  it('compute with float32 only', async () => {
    const e = new ExpressionBuilder([4]);
    const half = e.load(0, { dtype: 'float16' });
    const kernel: MapKernel = {
      kind: 'map',
      inputs: ['float16'],
      scalars: [],
      shape: [4],
      expression: e.build(e.apply('add', half, half)),
    };
    const invalid = expect.objectContaining({ code: 'INVALID_KERNEL' });
    await expect(runKernel(reference, kernel, [[1, 2, 3, 4]])).rejects.toThrow(invalid);
    const softmax: Kernel = { kind: 'softmax', rows: 1, columns: 4, inputs: ['float16'], scalars: [] };
    await expect(runKernel(reference, softmax, [[1, 2, 3, 4]])).rejects.toThrow(invalid);
  });
});
