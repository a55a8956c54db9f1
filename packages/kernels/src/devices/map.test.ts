// Pointwise maps on every device: views, several outputs, scalars, updates in place, and fused chains against the reference.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MapKernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { forAll, seeds } from '../testing/properties.js';
import { bits, integers, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { readThroughView, viewCases } from '../testing/views.js';
import { elementCount } from '../view.js';

describe.each(deviceLabels)('map on %s', (label) => {
  const device = useDevice(label);

  it('reads broadcast, strided, reversed, transposed and padded views exactly', async () => {
    await forAll(fc.record({ views: viewCases(1), seed: seeds }), 150, async ({ views, seed }) => {
      const { shape, inputs } = views;
      const [{ view, elements }] = inputs;
      const data = normals(seed, elements);
      const e = new ExpressionBuilder(shape);
      const kernel = mapKernel(shape, e.build(e.load(0, { view })), 1);
      const [output] = await runKernel(device(), kernel, [data]);
      expect(Array.from(output)).toEqual(readThroughView(data, view, shape));
    });
  });

  it('agrees for fused chains over several views, with several outputs and scalars', async () => {
    await forAll(fc.record({ views: viewCases(3), seed: seeds }), 100, async ({ views, seed }) => {
      const { shape, inputs } = views;
      const e = new ExpressionBuilder(shape);
      const [a, b, c] = inputs.map(({ view }, input) => e.load(input, { view }));
      const product = e.apply('mul', e.apply('add', a, e.scalar(0)), e.apply('sigmoid', b));
      const gated = e.apply(
        'where',
        e.apply('lt', a, c),
        product,
        e.apply('exp', e.apply('neg', e.apply('abs', c))),
      );
      const position = e.apply('mul', e.apply('toFloat32', e.index()), e.constant(0.125));
      const kernel = mapKernel(
        shape,
        e.build(gated, e.apply('sub', product, position), e.apply('tanh', e.apply('mul', b, e.scalar(1)))),
        3,
        2,
      );
      const data = inputs.map(({ elements }, i) => normals(seed + i, elements));
      await expectMatchesReference(device(), kernel, data, [0.5, -1.25]);
    });
  });

  it('agrees for arrays that are larger than a cache and shared by threads', async () => {
    const shape = [7, 129, 131];
    const e = new ExpressionBuilder(shape);
    const bias = e.load(1, { view: { offset: 0, strides: [0, 0, 1] } });
    const row = e.load(2, { view: { offset: 128, strides: [129, -1, 0] } });
    const value = e.apply('mul', e.apply('add', e.load(0), bias), row);
    const kernel = mapKernel(shape, e.build(e.apply('softplus', value), value), 3);
    await expectMatchesReference(device(), kernel, [
      normals(1, elementCount(shape)),
      normals(2, 131),
      normals(3, 7 * 129),
    ]);
  });

  it('computes integers modulo 2^32 and bits exactly', async () => {
    const shape = [37];
    const e = new ExpressionBuilder(shape);
    const [i, j] = [e.load(0, { dtype: 'int32' }), e.load(1, { dtype: 'int32' })];
    const [u, v] = [e.load(2, { dtype: 'uint32' }), e.load(3, { dtype: 'uint32' })];
    const kernel: MapKernel = {
      kind: 'map',
      inputs: ['int32', 'int32', 'uint32', 'uint32'],
      scalars: ['uint32'],
      shape,
      expression: e.build(
        e.apply('mul', i, j),
        e.apply('sub', e.apply('abs', i), e.apply('neg', j)),
        e.apply('mul', u, e.apply('add', v, e.scalar(0, 'uint32'))),
        e.apply('bitXor', e.apply('sub', u, v), e.apply('bitAnd', u, e.constant(0xffff0000, 'uint32'))),
        e.apply('and', e.apply('lt', i, j), e.apply('not', e.apply('le', u, v))),
        e.apply('toFloat32', e.apply('max', u, v)),
      ),
    };
    const whole = Int32Array.from(bits(1, 74));
    await expectMatchesReference(
      device(),
      kernel,
      [whole.subarray(0, 37), whole.subarray(37), bits(2, 37), bits(3, 37)],
      [4_000_000_007],
    );
  });

  it.each([12, 13])('replaces %i integers by the same number as floats in place', async (elements) => {
    const e = new ExpressionBuilder([elements]);
    const half = e.apply('mul', e.apply('toFloat32', e.load(0, { dtype: 'int32' })), e.constant(0.5));
    const kernel: MapKernel = {
      kind: 'map',
      inputs: ['int32'],
      scalars: [],
      shape: [elements],
      expression: e.build(half),
    };
    const buffer = device().allocate(4 * elements);
    device().write(
      buffer,
      'int32',
      Array.from({ length: elements }, (_, i) => i - 5),
    );
    device().submit([{ kernel, inputs: [buffer], outputs: [buffer], scalars: [] }]);
    expect(Array.from(await device().read(buffer, 'float32', elements))).toEqual(
      Array.from({ length: elements }, (_, i) => (i - 5) / 2),
    );
    device().free(buffer);
  });

  it('updates inputs in place', async () => {
    const elements = 1003;
    const e = new ExpressionBuilder([elements]);
    // One step of AdamW: parameter, first and second moment are replaced by their new values.
    const [parameter, first, second, gradient] = [0, 1, 2, 3].map((input) => e.load(input));
    const decay = (old: number, beta: number, value: number) =>
      e.apply('add', e.apply('mul', old, e.constant(beta)), e.apply('mul', value, e.constant(1 - beta)));
    const newFirst = decay(first, 0.9, gradient);
    const newSecond = decay(second, 0.99, e.apply('mul', gradient, gradient));
    const step = e.apply('div', newFirst, e.apply('add', e.apply('sqrt', newSecond), e.constant(1e-8)));
    const newParameter = e.apply('sub', parameter, e.apply('mul', e.scalar(0), step));
    const kernel = mapKernel([elements], e.build(newParameter, newFirst, newSecond), 4, 1);
    const data = [1, 2, 3, 4].map((seed) => normals(seed, elements));
    data[2] = data[2].map(Math.abs);
    const expected = await expectMatchesReference(device(), kernel, data, [0.01]);

    const buffers = data.map((values) => {
      const buffer = device().allocate(4 * elements);
      device().write(buffer, 'float32', values);
      return buffer;
    });
    device().submit([{ kernel, inputs: buffers, outputs: buffers.slice(0, 3), scalars: [0.01] }]);
    for (const [output, values] of expected.entries()) {
      expect(await device().read(buffers[output], 'float32', elements)).toEqual(values);
    }
    for (const buffer of buffers) device().free(buffer);
  });

  it('takes new scalars at every run', async () => {
    const e = new ExpressionBuilder([3]);
    const kernel = mapKernel([3], e.build(e.apply('mul', e.load(0), e.scalar(0))), 1, 1);
    for (const factor of [2, -3, 0]) {
      const [output] = await runKernel(device(), kernel, [[1, 10, 100]], [factor]);
      expect(Array.from(output, (value) => value + 0)).toEqual(
        [factor, 10 * factor, 100 * factor].map((v) => v + 0),
      );
    }
  });

  it('has constants of every kind', async () => {
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN: nan } = Number;
    const values = [0, -1.5, POSITIVE_INFINITY, NEGATIVE_INFINITY, nan, 2 ** -120, 2 ** 66, -(2 ** 31)];
    const e = new ExpressionBuilder([2]);
    const kernel = mapKernel([2], e.build(...values.map((value) => e.constant(value))), 0);
    const outputs = await runKernel(device(), kernel, []);
    expect(outputs.map(([value]) => value)).toEqual(values);
  });

  it('computes with constants alone, whatever comes of it', async () => {
    const e = new ExpressionBuilder([2]);
    const [one, zero, large] = [1, 0, 1e30].map((value) => e.constant(value));
    const results = [
      e.apply('div', one, zero),
      e.apply('mul', large, large),
      e.apply('log', zero),
      e.apply('sub', e.constant(0, 'uint32'), e.constant(1, 'uint32')),
      e.apply('neg', e.constant(-(2 ** 31), 'int32')),
    ];
    const outputs = await runKernel(device(), mapKernel([2], e.build(...results), 0), []);
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number;
    expect(outputs.map(([value]) => value)).toEqual([
      POSITIVE_INFINITY,
      POSITIVE_INFINITY,
      NEGATIVE_INFINITY,
      2 ** 32 - 1,
      -(2 ** 31),
    ]);
  });

  it('distinguishes kernels that differ in a constant that JSON cannot write', async () => {
    for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const e = new ExpressionBuilder([1]);
      const [output] = await runKernel(device(), mapKernel([1], e.build(e.constant(value)), 0), []);
      expect(output[0]).toBe(value);
    }
  });

  it('maps scalars and long chains', async () => {
    const e = new ExpressionBuilder([]);
    let value = e.load(0);
    for (let i = 0; i < 40; i++)
      value = e.apply('add', e.apply('mul', value, e.constant(0.5)), e.scalar(i % 4));
    const kernel = mapKernel([], e.build(value), 1, 4);
    await expectMatchesReference(device(), kernel, [[3]], [0.25, -1, 2, 0.125]);
  });

  it('keeps many values alive at once', async () => {
    const shape = [515];
    const e = new ExpressionBuilder(shape);
    const x = e.load(0);
    const waves = Array.from({ length: 24 }, (_, i) => e.apply('sin', e.apply('add', x, e.constant(i))));
    // Consumed in the order of their making, hence all alive before the first sum.
    const sum = waves.reduce((total, value) => e.apply('add', total, value));
    const kernel = mapKernel(shape, e.build(sum, waves[7]), 1);
    await expectMatchesReference(device(), kernel, [normals(9, 515)]);
  });

  it('reads indices through views of integers', async () => {
    const shape = [5, 9];
    const e = new ExpressionBuilder(shape);
    const classes = e.load(0, { dtype: 'int32', view: { offset: 0, strides: [1, 0] } });
    const oneHot = e.apply('toFloat32', e.apply('eq', classes, e.index(0, [0, 1])));
    const kernel: MapKernel = {
      kind: 'map',
      inputs: ['int32'],
      scalars: [],
      shape,
      expression: e.build(oneHot),
    };
    const labels = integers(1, 5, 0, 9);
    const [output] = await runKernel(device(), kernel, [labels]);
    expect(Array.from(output)).toEqual(
      [...labels].flatMap((label) => Array.from({ length: 9 }, (_, i) => +(i === label))),
    );
  });
});

function mapKernel(
  shape: readonly number[],
  expression: MapKernel['expression'],
  inputs: number,
  scalars = 0,
): MapKernel {
  return {
    kind: 'map',
    inputs: new Array(inputs).fill('float32'),
    scalars: new Array(scalars).fill('float32'),
    shape,
    expression,
  };
}
