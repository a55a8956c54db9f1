// What only the GPU's maps do: vectors of four, folded grids, and several dispatches where there are too few bindings.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../device.js';
import type { Epilogue, Kernel, MapKernel, MatmulKernel } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { epilogueCase } from '../testing/epilogues.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { forAll, seeds } from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { viewCases } from '../testing/views.js';
import { elementCount, type View } from '../view.js';
import { epilogueCode } from './epilogue.js';
import { nodeGpu } from './host/gpu.node.js';
import { mapProgram } from './map.js';
import { openWebGpuDevice } from './open-webgpu.js';
import type { Program } from './program.js';
import { defaultLimits, type Target } from './target.js';
import { wgsl } from './wgsl.js';

const target: Target = { adapterClass: 'software', ...defaultLimits };

describe('a map on the GPU', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openWebGpuDevice(nodeGpu, { defaultLimits: true, poison: true });
  });
  afterAll(() => device.close());

  it('reaches every element when one row of workgroups is too short', async () => {
    const count = 65_535 * 64 + 65;
    const e = new ExpressionBuilder([count]);
    const kernel = mapKernel([count], e.build(e.apply('toUint32', e.index(3))), 0);
    expect(mapProgram(kernel, target, []).dispatches[0].workgroups).toEqual([32769, 2, 1]);
    const [output] = await runKernel(device, kernel, []);
    expect(output.findIndex((value, i) => value !== i + 3)).toBe(-1);
  });

  it('computes many results in several dispatches', async () => {
    const e = new ExpressionBuilder([10]);
    const loads = Array.from({ length: 7 }, (_, input) => e.load(input));
    const sums = loads.map((load) => e.apply('add', load, loads[0]));
    const all = loads.reduce((sum, load) => e.apply('add', sum, load));
    const kernel = mapKernel([10], e.build(...sums, all), 7);
    expect(mapProgram(kernel, target, []).dispatches.length).toBe(3);
    await expectMatchesReference(
      device,
      kernel,
      loads.map((_, input) => normals(input, 10)),
    );
  });

  it('replaces inputs only when nothing reads their old values any more', async () => {
    const e = new ExpressionBuilder([9]);
    const loads = Array.from({ length: 4 }, (_, input) => e.load(input));
    const others = loads.map((load) => e.apply('mul', load, loads[0]));
    const updates = [e.apply('sub', loads[0], loads[1]), e.apply('add', loads[0], loads[1])];
    const kernel = mapKernel([9], e.build(...updates, ...others, e.apply('neg', loads[3])), 4);
    const data = loads.map((_, input) => normals(input, 9));
    const expected = await runKernel(device, kernel, data);

    const inputs = data.map((values) => upload(values));
    const outputs = [inputs[0], inputs[1], ...others.map(() => device.allocate(36)), device.allocate(36)];
    device.submit([{ kernel, inputs, outputs, scalars: [] }]);
    for (const [i, output] of outputs.entries()) {
      expect(await device.read(output, 'float32', 9)).toEqual(expected[i]);
    }
    for (const buffer of new Set([...inputs, ...outputs])) device.free(buffer);
  });

  it('updates a buffer that is several inputs', async () => {
    const e = new ExpressionBuilder([8]);
    const kernel = mapKernel([8], e.build(e.apply('mul', e.load(0), e.load(1))), 2);
    const buffer = upload(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    device.submit([{ kernel, inputs: [buffer, buffer], outputs: [buffer], scalars: [] }]);
    expect(Array.from(await device.read(buffer, 'float32', 8))).toEqual([1, 4, 9, 16, 25, 36, 49, 64]);
    device.free(buffer);
  });

  it('is refused when one result needs more buffers than there are bindings', () => {
    const e = new ExpressionBuilder([3]);
    const loads = Array.from({ length: 8 }, (_, input) => e.load(input));
    const kernel = mapKernel([3], e.build(loads.reduce((sum, load) => e.apply('add', sum, load))), 8);
    expect(() => mapProgram(kernel, target, [])).toThrow(
      'A map needs 9 buffers at once, and the GPU binds 8.',
    );
  });

  function upload(values: Float32Array) {
    const buffer = device.allocate(4 * values.length);
    device.write(buffer, 'float32', values);
    return buffer;
  }
});

describe('epilogue4', () => {
  it.each(['residual', 'time embedding'] as const)('reads vectors for a %s', (name) => {
    const widths = (channels: number) => {
      const { kernel } = epilogueCase(name, [2, 5, channels], 1);
      return epilogueCode(kernel).buffers.map(({ width }) => width);
    };
    expect(widths(64)).toEqual([4, 4]);
    expect(widths(61)).toEqual([1, 1]);
  });

  it('is four times epilogue, whatever the views', async () => {
    const device = await openWebGpuDevice(nodeGpu, { poison: true }, { programs: vectorEpilogue });
    try {
      const cases = fc
        .record({ views: viewCases(2), run: fc.constantFrom(1, 4, 8), seed: seeds })
        .filter(({ views, run }) => (run * elementCount(views.shape)) % 4 === 0);
      await forAll(cases, 80, async ({ views, run, seed }) => {
        const shape = [...views.shape, run];
        const [runs, repeats] = views.inputs;
        const e = new ExpressionBuilder(shape);
        const sum = e.apply('add', e.accumulator(), e.load(2, { view: ofRuns(runs.view, run) }));
        const product = e.apply('mul', sum, e.load(3, { view: repeated(repeats.view, run) }));
        const elements = elementCount(shape);
        const kernel = matmulKernel(elements / 4, { shape, expression: e.build(product) });
        const data = [elements / 4, 4, run * runs.elements, repeats.elements];
        await expectMatchesReference(
          device,
          kernel,
          data.map((length, i) => normals(seed + i, length)),
        );
      });
    } finally {
      await device.close();
    }
  });
});

/** A view of runs of that many elements in memory order, where the given view shows single elements. */
function ofRuns({ offset, strides, valid }: View, run: number): View {
  const runs = { offset: offset * run, strides: [...strides.map((stride) => stride * run), 1] };
  return valid ? { ...runs, valid: [...valid, [0, run]] } : runs;
}

/** The view that shows every element of the given one that many times. */
function repeated({ offset, strides, valid }: View, run: number): View {
  const view = { offset, strides: [...strides, 0] };
  return valid ? { ...view, valid: [...valid, [0, run]] } : view;
}

/** An outer product of a column and a row of four, with an epilogue that loads two inputs. */
function matmulKernel(m: number, epilogue: Epilogue): MatmulKernel {
  return {
    kind: 'matmul',
    inputs: ['float32', 'float32', 'float32', 'float32'],
    scalars: [],
    batch: 1,
    m,
    n: 4,
    k: 1,
    transposeA: false,
    transposeB: false,
    batchedA: true,
    batchedB: true,
    epilogue,
  };
}

/** The program of such a product, one row of the result at a time. */
function vectorEpilogue(kernel: Kernel): Program {
  if (kernel.kind !== 'matmul') throw new Error(`These tests run no ${kernel.kind}.`);
  const { code, buffers, scalars, dtype } = epilogueCode(kernel);
  return {
    scratch: [],
    dispatches: [
      {
        label: 'epilogue4',
        buffers: [
          { name: 'a', place: { input: 0 }, dtype: 'float32', width: 1, access: 'read' },
          { name: 'b', place: { input: 1 }, dtype: 'float32', width: 4, access: 'read' },
          { name: 'y', place: { output: 0 }, dtype, width: 4, access: 'write' },
          ...buffers,
        ],
        scalars,
        workgroups: [kernel.m, 1, 1],
        code: [
          code,
          wgsl`
            @compute @workgroup_size(1)
            fn main(@builtin(workgroup_id) group: vec3u) {
              store_y(group.x, epilogue4(4u * group.x, load_a(group.x) * load_b(0u)));
            }
          `,
        ].join('\n'),
      },
    ],
  };
}

function mapKernel(shape: readonly number[], expression: MapKernel['expression'], inputs: number): MapKernel {
  return { kind: 'map', inputs: new Array(inputs).fill('float32'), scalars: [], shape, expression };
}
