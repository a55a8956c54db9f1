// Reductions and softmax as every class of adapter does them: shared by lanes, cut into slices, in vectors and without.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../device.js';
import type { Kernel, ReduceKernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { forAll, seeds, size } from '../testing/properties.js';
import { bits, normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { elementCount } from '../view.js';
import { nodeGpu } from './host/gpu.node.js';
import { openWebGpuDevice } from './open-webgpu.js';
import { reduceProgram } from './reduce.js';
import { type AdapterClass, defaultLimits } from './target.js';

const classes: readonly AdapterClass[] = ['software', 'discrete', 'integrated'];

describe.each(classes)('on %s adapters', (adapterClass) => {
  let device: Device;
  beforeAll(async () => {
    device = await openWebGpuDevice(nodeGpu, { adapterClass, defaultLimits: true, poison: true });
  });
  afterAll(() => device.close());

  it.each([
    { shape: [1, 100_000], axes: [1], dispatches: 2 },
    { shape: [99_991], axes: [0], dispatches: 2 },
    { shape: [3, 20_000, 8], axes: [1], dispatches: 2 },
    { shape: [20_011, 3], axes: [0], dispatches: 2 },
    { shape: [2100, 36], axes: [1], dispatches: 1 },
    { shape: [2100, 37], axes: [1], dispatches: 1 },
    { shape: [700, 5, 20], axes: [1], dispatches: 1 },
    { shape: [6, 10, 50, 12], axes: [1, 3], dispatches: 1 },
  ])('reduces $axes of $shape in $dispatches dispatches', async ({ shape, axes, dispatches }) => {
    for (const reduction of ['sum', 'max', 'mean'] as const) {
      const kernel = reduce(reduction, shape, axes);
      expect(reduceProgram(kernel, { adapterClass, ...defaultLimits }).dispatches.length).toBe(dispatches);
      await expectMatchesReference(device, kernel, [normals(1, elementCount(shape))]);
    }
  });

  it('reduces any middle of [outer, rows, inner]', async () => {
    const cases = fc.record({
      outer: size(1, 5),
      rows: size(1, 1200),
      inner: fc.constantFrom(1, 2, 4, 12, 33),
      reduction: fc.constantFrom('sum', 'max', 'mean'),
      seed: seeds,
    });
    await forAll(cases, 30, async ({ outer, rows, inner, reduction, seed }) => {
      const shape = [outer, rows, inner];
      await expectMatchesReference(device, reduce(reduction, shape, [1]), [
        normals(seed, elementCount(shape)),
      ]);
    });
  });

  it('finds a NaN of either sign in every lane and slice', async () => {
    const count = 40_000;
    const kernel = reduce('max', [count], [0]);
    for (const position of [0, 3, 1023, 20_001, count - 1]) {
      const words = new Uint32Array(normals(1, count).buffer);
      words[position] = 0xffc00001;
      const [highest] = await runKernel(device, kernel, [new Float32Array(words.buffer)]);
      expect(highest[0]).toBeNaN();
    }
  });

  it('adds integers of all lanes and slices modulo 2^32', async () => {
    const e = new ExpressionBuilder([30_000]);
    const expression = e.build(e.load(0, { dtype: 'uint32' }));
    const kernel: ReduceKernel = { ...reduce('sum', [30_000], [0]), inputs: ['uint32'], expression };
    await expectMatchesReference(device, kernel, [bits(1, 30_000)]);
  });

  it.each([
    [3, 4096],
    [300, 64],
    [5, 2047],
    [9, 1],
  ])('takes the softmax of %i x %i', async (rows, columns) => {
    const kernel: Kernel = { kind: 'softmax', rows, columns, inputs: ['float32'], scalars: [] };
    const x = normals(1, rows * columns).map((value) => 5 * value);
    await expectMatchesReference(device, kernel, [x]);
    x[(rows - 1) * columns] = Number.NaN;
    const [y] = await runKernel(device, kernel, [x]);
    expect(Array.from(y, Number.isNaN)).toEqual(Array.from(y, (_, i) => i >= (rows - 1) * columns));
  });
});

function reduce(
  reduction: ReduceKernel['reduction'],
  shape: readonly number[],
  axes: readonly number[],
): ReduceKernel {
  const e = new ExpressionBuilder(shape);
  return {
    kind: 'reduce',
    reduction,
    inputs: ['float32'],
    scalars: [],
    shape,
    axes,
    expression: e.build(e.load(0)),
  };
}
