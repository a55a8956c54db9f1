// Profiles of real devices, and how they are put to people and to trace viewers.
import type { Kernel, KernelTime } from '@dmpo/kernels';
import { afterEach, describe, expect, it } from 'vitest';
import { ones } from '../ops/creation.js';
import { openDevice, realize } from '../realize.js';
import { chromeTrace } from './chrome-trace.js';
import { profile } from './profile.js';
import { kernelRows, profileTable } from './table.js';

const matmul: Kernel = {
  ...{ kind: 'matmul', batch: 1, m: 100, n: 50, k: 200 },
  ...{ transposeA: false, transposeB: false, batchedA: true, batchedB: true },
  ...{ inputs: ['float32', 'float32'], scalars: [] },
};
const softmax: Kernel = { kind: 'softmax', rows: 10, columns: 10, inputs: ['float32'], scalars: [] };

const commands: KernelTime[] = [
  { kernel: softmax, parts: [{ label: 'softmax', begin: 1000, end: 1010 }] },
  {
    kernel: matmul,
    parts: [
      { label: 'tiles', begin: 1010, end: 1050 },
      { label: 'sum', begin: 1060, end: 1070 },
    ],
  },
  {
    kernel: matmul,
    parts: [
      { label: 'tiles', begin: 2000, end: 2030 },
      { label: 'sum', begin: 2030, end: 2050 },
    ],
  },
];

describe('a profile', () => {
  it('is summed up by kernel, the most expensive first', () => {
    const rows = kernelRows(commands);
    expect(rows.map(({ title, runs, microseconds }) => [title, runs, microseconds])).toEqual([
      ['matmul 100x50x200 (tiles, sum)', 2, 100],
      ['softmax 10x10', 1, 10],
    ]);
    // Two million multiply-adds twice, and 35000 numbers of four bytes twice, in 100 microseconds.
    expect(rows[0]?.flopsPerSecond).toBeCloseTo((2 * 2 * 100 * 50 * 200) / 100e-6);
    expect(rows[0]?.bytesPerSecond).toBeCloseTo((2 * 4 * (100 * 200 + 200 * 50 + 100 * 50)) / 100e-6);
  });

  it('is a table whose columns stand below each other', () => {
    const lines = profileTable(kernelRows(commands), 1234.5).split('\n');
    expect(lines).toEqual([
      'kernel                          runs     ms   share  GFLOP/s  GB/s',
      'matmul 100x50x200 (tiles, sum)     2  0.100  90.9 %     40.0   2.8',
      'softmax 10x10                      1  0.010   9.1 %      0.0   0.1',
      'all kernels                        3  0.110',
      'from begin to end 1.234 ms',
    ]);
  });

  it('is a list of events for trace viewers, one for each part of a kernel', () => {
    const { traceEvents } = JSON.parse(chromeTrace(commands));
    expect(traceEvents).toHaveLength(5);
    expect(traceEvents[2]).toMatchObject({ name: 'matmul 100x50x200', ph: 'X', ts: 60, dur: 10 });
    expect(traceEvents[2].args).toMatchObject({ program: 'sum', kernelFlops: 2_000_000 });
    expect(JSON.parse(chromeTrace([]))).toMatchObject({ traceEvents: [] });
  });
});

describe.each(['cpu', 'webgpu'] as const)('profile on %s', (name) => {
  let close = async () => {};

  afterEach(async () => {
    await close();
  });

  it('measures what is computed, and leaves results as they are', async () => {
    const device = await openDevice(name);
    close = () => device.close();
    using a = ones([300, 200]);
    using b = ones([200, 100]);
    realize(a, b);
    const multiply = async () => {
      using sum = a.matmul(b).softmax().sum();
      expect(await sum.item()).toBeCloseTo(300, 3);
    };
    await multiply();
    const measured = await profile(async () => {
      for (let round = 0; round < 3; round++) await multiply();
    });
    const kinds = measured.commands.map(({ kernel }) => kernel.kind);
    expect(kinds.filter((kind) => kind === 'matmul')).toHaveLength(3);
    expect(kinds.filter((kind) => kind === 'softmax')).toHaveLength(3);
    for (const { parts } of measured.commands) {
      expect(parts.length).toBeGreaterThan(0);
      for (const { begin, end } of parts) expect(end).toBeGreaterThanOrEqual(begin);
    }
    expect(measured.kernelMicroseconds).toBeGreaterThan(0);
    expect(measured.wallMicroseconds).toBeGreaterThan(0);
    expect(measured.table()).toContain('matmul 300x100x200');
    await multiply();
  });

  it('takes one profile at a time, and goes on after work that failed', async () => {
    const device = await openDevice(name);
    close = () => device.close();
    await expect(profile(() => profile(() => undefined).then(() => undefined))).rejects.toMatchObject({
      code: 'PROFILING',
    });
    const failing = async () => {
      throw new Error('no luck');
    };
    await expect(profile(failing)).rejects.toThrow('no luck');
    expect((await profile(() => undefined)).commands).toEqual([]);
  });
});

it('says so where the device cannot measure', async () => {
  const device = await openDevice('reference');
  await expect(profile(() => undefined)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  await device.close();
});
