// What is particular to the CPU device: threads, the two builds, memory, options.
import { describe, expect, it } from 'vitest';
import type { Device, DeviceBuffer, DeviceOptions } from '../device.js';
import { openDevice } from '../index.js';
import { type Kernel, kernelInputElements, type MapKernel } from '../kernel.js';
import { expectClose, expectSameBits } from '../testing/allclose.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { integers, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { openCpuDevice } from './cpu-device.js';
import type { CpuHost } from './workers.js';
import { nodeHost } from './workers.node.js';

const floats = (count: number) => new Array<'float32'>(count).fill('float32');

async function withDevice<T>(options: DeviceOptions, use: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice('cpu', options);
  try {
    return await use(device);
  } finally {
    await device.close();
  }
}

function mapOf(
  shape: readonly number[],
  build: (b: ExpressionBuilder) => readonly number[],
  inputs = 1,
): MapKernel {
  const builder = new ExpressionBuilder(shape);
  const expression = builder.build(...build(builder));
  return { kind: 'map', inputs: floats(inputs), scalars: [], shape, expression };
}

function upload(device: Device, data: ArrayLike<number>): DeviceBuffer {
  const buffer = device.allocate(4 * data.length);
  device.write(buffer, 'float32', data);
  return buffer;
}

/** One kernel of each kind, of odd sizes that give every thread something to do. */
function kernelsOfEveryKind(): Kernel[] {
  const geometry = {
    batch: 3,
    inHeight: 13,
    inWidth: 17,
    inChannels: 20,
    outHeight: 13,
    outWidth: 17,
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
  const attention = { batch: 2, heads: 3, queries: 70, keys: 50, headDim: 16, scale: 0.25, scalars: [] };
  const norm = { batch: 9, positions: 200, channels: 24, groups: 4, silu: true, scalars: [] };
  const reduce = (shape: number[], axes: number[]): Kernel => {
    const { expression } = mapOf(shape, (b) => [b.apply('exp', b.load(0))]);
    return { kind: 'reduce', reduction: 'sum', shape, axes, inputs: floats(1), scalars: [], expression };
  };
  return [
    mapOf([31, 1001], (b) => [b.apply('tanh', b.load(0))]),
    reduce([70001], [0]),
    reduce([3000, 17], [0]),
    reduce([5, 40, 7, 30], [1, 3]),
    reduce([40, 3001], [0]),
    {
      kind: 'matmul',
      ...{
        batch: 2,
        m: 130,
        n: 65,
        k: 90,
        transposeA: true,
        transposeB: false,
        batchedA: true,
        batchedB: true,
      },
      inputs: floats(2),
      scalars: [],
    },
    { kind: 'matmul', ...flatProduct, inputs: floats(2), scalars: [] },
    { kind: 'conv2d', geometry, inputs: floats(2), scalars: [] },
    { kind: 'conv2dInputGrad', geometry, inputs: floats(2), scalars: [] },
    { kind: 'conv2dFilterGrad', geometry, inputs: floats(2), scalars: [] },
    { kind: 'groupNorm', ...norm, epsilon: 1e-5, inputs: floats(3) },
    { kind: 'groupNorm', ...norm, batch: 1, positions: 2000, epsilon: 1e-5, inputs: floats(3) },
    { kind: 'groupNormGrad', ...norm, inputs: floats(6) },
    { kind: 'groupNormGrad', ...norm, batch: 1, positions: 2000, inputs: floats(6) },
    { kind: 'layerNorm', rows: 300, channels: 70, epsilon: 1e-5, inputs: floats(3), scalars: [] },
    { kind: 'layerNormGrad', rows: 300, channels: 70, inputs: floats(5), scalars: [] },
    { kind: 'attention', ...attention, inputs: floats(3) },
    { kind: 'attentionGrad', ...attention, inputs: floats(6) },
    { kind: 'softmax', rows: 300, columns: 77, inputs: floats(1), scalars: [] },
    { kind: 'gather', rows: 50, columns: 40, count: 700, inputs: ['float32', 'int32'], scalars: [] },
    { kind: 'gatherGrad', rows: 50, columns: 40, count: 700, inputs: ['float32', 'int32'], scalars: [] },
  ];
}

const flatProduct = {
  batch: 1,
  m: 7,
  n: 9,
  k: 5000,
  transposeA: false,
  transposeB: true,
  batchedA: false,
  batchedB: false,
};

function dataFor(kernel: Kernel): ArrayLike<number>[] {
  return kernelInputElements(kernel).map((count, input) =>
    kernel.inputs[input] === 'int32' ? integers(5, count, 0, 50) : normals(7 + input, count),
  );
}

describe('cpu device', () => {
  it('gives the same bits for any number of threads', async () => {
    const kernels = kernelsOfEveryKind();
    const run = (threads: number) =>
      withDevice({ threads }, async (device) => {
        const results = [];
        // Over and over, so that workers take part sooner or later.
        for (let repetition = 0; repetition < 4; repetition++) {
          for (const kernel of kernels) results.push(...(await runKernel(device, kernel, dataFor(kernel))));
        }
        return results;
      });
    const alone = await run(1);
    for (const threads of [2, 7]) {
      const together = await run(threads);
      together.forEach((result, i) => {
        expectSameBits(result, alone[i], `result ${i} of ${threads} threads`);
      });
    }
  });

  it('agrees between relaxed and plain SIMD to the last few bits', async () => {
    for (const kernel of kernelsOfEveryKind()) {
      const [plain, relaxed] = await Promise.all(
        [false, true].map((relaxedSimd) =>
          withDevice({ relaxedSimd }, (device) => runKernel(device, kernel, dataFor(kernel))),
        ),
      );
      plain.forEach((expected, output) => {
        const scale = Math.max(...Array.from(expected, Math.abs));
        expectClose(relaxed[output], expected, () => 1e-5 * scale, `output ${output} of ${kernel.kind}`);
      });
    }
  });

  it('says how many threads and which instructions it uses', async () => {
    const describeWith = (options: DeviceOptions) =>
      withDevice(options, async ({ description }) => description);
    expect(await describeWith({ threads: 3, relaxedSimd: false })).toBe('3 threads, WebAssembly with SIMD');
    expect(await describeWith({ threads: 1 })).toBe('1 thread, WebAssembly with relaxed SIMD');
  });

  it('computes alone where memory cannot be shared, and with workers where it must not sleep', async () => {
    const hosts = { alone: { ...nodeHost, canShareMemory: false }, page: { ...nodeHost, maySleep: false } };
    const [kernel] = kernelsOfEveryKind();
    const results = [];
    for (const host of [nodeHost, hosts.alone, hosts.page]) {
      const device = await openCpuDevice(host, { threads: 3 });
      const count = host.canShareMemory ? '3 threads' : '1 thread; more need a cross-origin isolated page';
      expect(device.description).toContain(count);
      results.push(await runKernel(device, kernel, dataFor(kernel)));
      await device.close();
    }
    expectSameBits(results[1][0], results[0][0], 'result alone');
    expectSameBits(results[2][0], results[0][0], 'result in a page');
  });

  it('does not wait for workers that never come', async () => {
    const stopped: number[] = [];
    const host: CpuHost = {
      ...nodeHost,
      startWorker: ({ thread }) => ({ stop: async () => void stopped.push(thread) }),
    };
    const device = await openCpuDevice(host, { threads: 4 });
    for (const kernel of kernelsOfEveryKind()) {
      const results = await runKernel(device, kernel, dataFor(kernel));
      const expected = await withDevice({ threads: 1 }, (alone) => runKernel(alone, kernel, dataFor(kernel)));
      results.forEach((result, output) => {
        expectSameBits(result, expected[output], `output ${output} of ${kernel.kind}`);
      });
    }
    await device.close();
    expect(stopped).toEqual([1, 2, 3]);
  });

  it('says how many threads could be started, and stops them', async () => {
    const stopped: number[] = [];
    const host: CpuHost = {
      ...nodeHost,
      startWorker: ({ thread }) => {
        if (thread === 3) throw new Error('no more');
        return { stop: async () => void stopped.push(thread) };
      },
    };
    await expect(openCpuDevice(host, { threads: 8 })).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining('3 of 8'),
    });
    expect(stopped).toEqual([1, 2]);
  });

  it.each([0, 1.5, 17, Number.NaN])('refuses %s threads', async (threads) => {
    await expect(openDevice('cpu', { threads })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('lets a map exchange two buffers in place', async () => {
    await withDevice({}, async (device) => {
      const kernel = mapOf([5001], (b) => [b.load(1), b.apply('add', b.load(0), b.load(1))], 2);
      const [first, second] = [normals(1, 5001), normals(2, 5001)];
      const [a, b] = [upload(device, first), upload(device, second)];
      device.submit([{ kernel, inputs: [a, b], outputs: [a, b], scalars: [] }]);
      expectSameBits(await device.read(a, 'float32', 5001), second, 'first');
      const sums = first.map((value, i) => Math.fround(value + second[i]));
      expectSameBits(await device.read(b, 'float32', 5001), sums, 'second');
    });
  });

  it('reads an input in place as it was, however early the output is computed', async () => {
    await withDevice({}, async (device) => {
      const kernel = mapOf(
        [1003],
        (b) => {
          const total = b.apply('add', b.load(0), b.load(1));
          return [total, b.apply('mul', b.load(0), total), b.load(0)];
        },
        2,
      );
      const [first, second] = [normals(3, 1003), normals(4, 1003)];
      const [a, b, c] = [upload(device, first), upload(device, second), device.allocate(4 * 1003)];
      device.submit([{ kernel, inputs: [a, b], outputs: [a, b, c], scalars: [] }]);
      const total = first.map((value, i) => value + second[i]);
      expectSameBits(await device.read(a, 'float32', 1003), total, 'sum');
      expectSameBits(
        await device.read(b, 'float32', 1003),
        first.map((value, i) => value * total[i]),
        'product',
      );
      expectSameBits(await device.read(c, 'float32', 1003), first, 'copy');
    });
  });

  it('leaves a buffer alone that a map maps to itself', async () => {
    await withDevice({}, async (device) => {
      const data = normals(5, 1001);
      const buffer = upload(device, data);
      const kernel = mapOf([1001], (b) => [b.load(0)]);
      device.submit([{ kernel, inputs: [buffer], outputs: [buffer], scalars: [] }]);
      expectSameBits(await device.read(buffer, 'float32', 1001), data, 'buffer');
    });
  });

  it('uses memory again, and grows no further when the same work is repeated', async () => {
    await withDevice({ threads: 2 }, async (device) => {
      const work = async () => {
        for (const kernel of kernelsOfEveryKind()) await runKernel(device, kernel, dataFor(kernel));
      };
      await work();
      const { reservedBytes } = device.memory();
      for (let repetition = 0; repetition < 3; repetition++) await work();
      device.trim();
      await work();
      expect(device.memory()).toMatchObject({ buffers: 0, bytes: 0, reservedBytes });
    });
  });

  it('reports memory that it cannot have, and goes on working', async () => {
    await withDevice({}, async (device) => {
      expect(() => device.allocate(2 ** 33)).toThrow(
        expect.objectContaining({ code: 'OUT_OF_MEMORY', problem: expect.stringContaining('8589934592') }),
      );
      const buffer = upload(device, [1, 2, 3]);
      expectSameBits(await device.read(buffer, 'float32', 3), [1, 2, 3], 'buffer');
    });
  });

  it('is unusable once it is closed, and may be closed twice', async () => {
    const device = await openDevice('cpu', { threads: 2 });
    const buffer = device.allocate(4);
    await device.close();
    await device.close();
    expect(() => device.allocate(4)).toThrow(expect.objectContaining({ code: 'DEVICE_CLOSED' }));
    expect(() => device.submit([])).toThrow(expect.objectContaining({ code: 'DEVICE_CLOSED' }));
    await expect(device.read(buffer, 'float32', 1)).rejects.toMatchObject({ code: 'DEVICE_CLOSED' });
  });

  it('has nothing to do for kernels without elements', async () => {
    await withDevice({}, async (device) => {
      expect(
        await runKernel(
          device,
          mapOf([0, 5], (b) => [b.load(0)]),
          [[]],
        ),
      ).toEqual([new Float32Array(0)]);
    });
  });
});
