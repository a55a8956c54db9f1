// The Device contract itself: memory, transfers, order of commands, errors.
import { describe, expect, it } from 'vitest';
import type { Command, Device, DeviceBuffer, DeviceName } from '../device.js';
import type { DType } from '../dtype.js';
import { DmpoError } from '../errors.js';
import { openDevice } from '../index.js';
import type { Kernel } from '../kernel.js';
import { expectSameBits } from '../testing/allclose.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { normals } from '../testing/random-data.js';

const scale = new ExpressionBuilder([4]);
const double: Kernel = {
  kind: 'map',
  inputs: ['float32'],
  scalars: [],
  shape: [4],
  expression: scale.build(scale.apply('add', scale.load(0), scale.load(0))),
};

describe.each([...deviceLabels, 'reference'])('device %s', (label) => {
  const device = useDevice(label);

  it('says what it is', () => {
    expect(label.split(' ')[0]).toBe(device().name);
    expect(device().description.length).toBeGreaterThan(0);
  });

  it('keeps data of every dtype as it was written', async () => {
    const arrays: [DType, ArrayLike<number>][] = [
      ['float32', [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e-30, -3e38].map(Math.fround)],
      ['int32', [0, -1, 2 ** 31 - 1, -(2 ** 31), 16777217]],
      ['uint32', [0, 1, 2 ** 32 - 1, 2 ** 31, 16777217]],
      ['bool', [0, 1, 1, 0]],
    ];
    for (const [dtype, data] of arrays) {
      const buffer = device().allocate(4 * data.length);
      device().write(buffer, dtype, data);
      expectSameBits(await device().read(buffer, dtype, data.length), data, dtype);
      expect(await device().read(buffer, dtype, 2)).toHaveLength(2);
      device().free(buffer);
    }
  });

  it('stores any non-zero number as true', async () => {
    const buffer = device().allocate(16);
    device().write(buffer, 'bool', [0, 2, -0.5, 0]);
    expect(Array.from(await device().read(buffer, 'bool', 4))).toEqual([0, 1, 1, 0]);
    device().free(buffer);
  });

  it('reads back typed arrays that later commands leave alone', async () => {
    const buffer = device().allocate(16);
    device().write(buffer, 'float32', [1, 2, 3, 4]);
    const read = await device().read(buffer, 'float32', 4);
    device().write(buffer, 'float32', [5, 6, 7, 8]);
    expect(Array.from(read)).toEqual([1, 2, 3, 4]);
    device().free(buffer);
  });

  it('poisons new memory, also memory that was used before', async () => {
    for (let round = 0; round < 3; round++) {
      const buffer = device().allocate(4 * 1000);
      expect(Array.from(await device().read(buffer, 'float32', 1000)).every(Number.isNaN)).toBe(true);
      device().write(buffer, 'float32', normals(round, 1000));
      device().free(buffer);
    }
  });

  it('counts buffers, bytes and their peak', () => {
    const before = device().memory();
    const first = device().allocate(4000);
    const second = device().allocate(8);
    const both = device().memory();
    expect(both.buffers).toBe(before.buffers + 2);
    expect(both.bytes).toBe(before.bytes + 4008);
    expect(both.peakBytes).toBeGreaterThanOrEqual(both.bytes);
    expect(both.reservedBytes).toBeGreaterThanOrEqual(both.bytes);
    device().free(first);
    device().free(second);
    const after = device().memory();
    expect(after.buffers).toBe(before.buffers);
    expect(after.bytes).toBe(before.bytes);
    expect(after.peakBytes).toBe(both.peakBytes);
  });

  it('refuses to free twice, or to use what was freed', () => {
    const buffer = device().allocate(16);
    device().free(buffer);
    expect(() => device().free(buffer)).toThrow(DmpoError);
    expect(() => device().write(buffer, 'float32', [1])).toThrow(DmpoError);
    const other = device().allocate(16);
    expect(() => device().submit([command([other], [buffer])])).toThrow(DmpoError);
    device().free(other);
  });

  it('refuses a command whose buffers do not fit its kernel', () => {
    const [large, small] = [16, 12].map((byteLength) => device().allocate(byteLength));
    for (const [inputs, outputs] of [
      [[large], [small]],
      [[small], [large]],
      [[], [large]],
      [[large], []],
    ]) {
      expect(() => device().submit([command(inputs, outputs)])).toThrow(DmpoError);
    }
    device().free(large);
    device().free(small);
  });

  it('refuses kernels of impossible sizes or dtypes, and goes on working', async () => {
    const shape = [2 ** 16, 2 ** 16];
    const e = new ExpressionBuilder(shape);
    const expression = e.build(e.load(0, { view: { offset: 0, strides: [0, 0] } }));
    const four = new ExpressionBuilder([4]);
    const integer = four.build(four.load(0, { dtype: 'int32' }));
    const transposed = { transposeA: false, transposeB: false, batchedA: true, batchedB: true };
    const refused: Kernel[] = [
      { kind: 'matmul', batch: 1, m: 2, n: 2, k: 0, ...transposed, ...floats(2) },
      { kind: 'layerNormGrad', rows: 1.5, channels: 2, ...floats(5) },
      { kind: 'reduce', reduction: 'sum', shape, axes: [0, 1], expression, ...floats(1) },
      {
        kind: 'reduce',
        reduction: 'mean',
        shape: [4],
        axes: [0],
        expression: integer,
        inputs: ['int32'],
        scalars: [],
      },
      {
        kind: 'groupNorm',
        ...{ batch: 1, positions: 1, channels: 4, groups: 3, epsilon: 0, silu: false },
        ...floats(3),
      },
    ];
    for (const kernel of refused) {
      await expect(device().prepare([kernel]), kernel.kind).rejects.toMatchObject({
        code: 'INVALID_KERNEL',
        problem: expect.stringContaining(kernel.kind),
      });
    }
    const [input, output] = [filled(device(), [1, 2, 3, 4]), device().allocate(16)];
    device().submit([command([input], [output])]);
    expect(Array.from(await device().read(output, 'float32', 4))).toEqual([2, 4, 6, 8]);
    for (const buffer of [input, output]) device().free(buffer);
  });

  it('gives buffers that do not overlap', async () => {
    const buffers = [4, 4, 12, 20, 400, 4, 64].map((byteLength) => device().allocate(byteLength));
    buffers.forEach((buffer, i) => {
      device().write(buffer, 'int32', new Array(buffer.byteLength / 4).fill(i));
    });
    for (const [i, buffer] of buffers.entries()) {
      const elements = buffer.byteLength / 4;
      expect(Array.from(await device().read(buffer, 'int32', elements))).toEqual(new Array(elements).fill(i));
    }
    for (const buffer of buffers.toReversed()) device().free(buffer);
  });

  it('runs writes and commands in order', async () => {
    const [a, b, c] = [0, 1, 2].map(() => device().allocate(16));
    device().write(a, 'float32', [1, 2, 3, 4]);
    device().submit([command([a], [b]), command([b], [c])]);
    device().write(a, 'float32', [10, 20, 30, 40]);
    device().submit([command([a], [b])]);
    await device().finish();
    expect(Array.from(await device().read(c, 'float32', 4))).toEqual([4, 8, 12, 16]);
    expect(Array.from(await device().read(b, 'float32', 4))).toEqual([20, 40, 60, 80]);
    for (const buffer of [a, b, c]) device().free(buffer);
  });

  it('gives the same bits every time, for lists of commands of which each needs the one before', async () => {
    const side = 96;
    const buffers = [1, 2, 3].map((seed) => filled(device(), normals(seed, side * side)));
    const total = device().allocate(4 * side);
    const [a, b, c] = buffers;
    const sizes = { batch: 1, m: side, n: side, k: side, transposeA: false, transposeB: true };
    const matmul: Kernel = { kind: 'matmul', ...sizes, batchedA: true, batchedB: true, ...floats(2) };
    const softmax: Kernel = { kind: 'softmax', rows: side, columns: side, ...floats(1) };
    const e = new ExpressionBuilder([side, side]);
    const expression = e.build(e.load(0));
    const columns: Kernel = {
      kind: 'reduce',
      reduction: 'sum',
      shape: [side, side],
      axes: [0],
      expression,
      ...floats(1),
    };
    const list: Command[] = [
      { kernel: matmul, inputs: [a, b], outputs: [c], scalars: [] },
      { kernel: softmax, inputs: [c], outputs: [b], scalars: [] },
      { kernel: columns, inputs: [b], outputs: [total], scalars: [] },
    ];
    const results: number[][] = [];
    for (let round = 0; round < 60; round++) {
      device().write(b, 'float32', normals(2, side * side));
      device().submit(list);
      results.push(Array.from(await device().read(total, 'float32', side)));
    }
    for (const result of results) expectSameBits(result, results[0], 'a repetition');
    expect(results[0].reduce((sum, value) => sum + value)).toBeCloseTo(side, 3);
    for (const buffer of [...buffers, total]) device().free(buffer);
  });

  it('reports progress while it prepares', async () => {
    const seen: [number, number][] = [];
    await device().prepare([double, double], (done, total) => seen.push([done, total]));
    expect(seen.at(-1)).toEqual([2, 2]);
  });

  it('still works after trim', async () => {
    const kept = filled(device(), [1, 2, 3, 4]);
    device().free(device().allocate(1 << 20));
    device().trim();
    const output = device().allocate(16);
    device().submit([command([kept], [output])]);
    expect(Array.from(await device().read(output, 'float32', 4))).toEqual([2, 4, 6, 8]);
    device().free(kept);
    device().free(output);
  });

  it('opens more than once, and is of no use once closed', async () => {
    const other = await openDevice(device().name as DeviceName);
    const buffer = filled(other, [1, 2, 3, 4]);
    const output = other.allocate(16);
    other.submit([command([buffer], [output])]);
    expect(Array.from(await other.read(output, 'float32', 4))).toEqual([2, 4, 6, 8]);
    await other.close();
    expect(() => other.allocate(16)).toThrow(DmpoError);
    await expect(other.finish()).rejects.toThrow(DmpoError);
    expect(() => other.free(buffer)).not.toThrow();
  });
});

function command(inputs: DeviceBuffer[], outputs: DeviceBuffer[]) {
  return { kernel: double, inputs, outputs, scalars: [] };
}

const floats = (count: number) => ({ inputs: new Array<DType>(count).fill('float32'), scalars: [] });

function filled(device: Device, data: ArrayLike<number>): DeviceBuffer {
  const buffer = device.allocate(4 * data.length);
  device.write(buffer, 'float32', data);
  return buffer;
}
