// Shaders with float16 compile in both forms in which adapters have it: as f16, and as pairs in u32.
import { describe, expect, it } from 'vitest';
import type { DType } from '../dtype.js';
import type { Kernel, MapKernel } from '../kernel.js';
import { kernelTitle } from '../kernel-title.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { inFloat16, oddKernels, smallKernels } from '../testing/model-kernels.js';
import { nullGpuDevice } from '../testing/null-gpu.js';
import { nodeGpu } from './host/gpu.node.js';
import { kernelProgram } from './kernels.js';
import { openWebGpuDevice } from './open-webgpu.js';
import { type Dispatch, moduleSource } from './program.js';
import { typedProgram } from './storage-types.js';
import { defaultLimits } from './target.js';

/** What reads float16 or stores it, and conversions. */
function float16Kernels(): Kernel[] {
  return [
    ...[...smallKernels(), ...oddKernels()].flatMap(inFloat16),
    ...[1, 4, 6, 7, 4096].flatMap((count) => [conversion(count, false), conversion(count, true)]),
  ];
}

function conversion(count: number, toFloat16: boolean): MapKernel {
  const e = new ExpressionBuilder([count]);
  const value = toFloat16 ? e.load(0) : e.load(0, { dtype: 'float16' });
  const expression = e.build(e.apply(toFloat16 ? 'toFloat16' : 'toFloat32', value));
  const inputs: DType[] = [toFloat16 ? 'float32' : 'float16'];
  return { kind: 'map', inputs, scalars: [], shape: [count], expression };
}

describe('the module of a dispatch', () => {
  const use = { name: 'x', place: { input: 0 }, dtype: 'float16', width: 4, access: 'read' } as const;
  const dispatch: Dispatch = { label: 'x', buffers: [use], code: '', workgroups: [1, 1, 1] };

  it('has vectors of f16 where the adapter has them, else words', () => {
    const half = moduleSource(dispatch, false, 'f16');
    expect(half).toMatch(/^enable f16;/);
    expect(half).toContain('array<vec4<f16>>');
    const pairs = moduleSource(dispatch, false, 'pairs');
    expect(pairs).not.toContain('f16;');
    expect(pairs).toContain('array<vec2<u32>>');
  });
});

describe('a map of an odd number of elements', () => {
  const program = (nativeFloat16: boolean) =>
    typedProgram(
      kernelProgram,
      conversion(7, true),
      { adapterClass: 'discrete', ...defaultLimits, nativeFloat16 },
      [],
    );

  it('stores f16 one by one, and pairs by a second dispatch', () => {
    expect(program(true).dispatches.map(({ label }) => label)).toEqual(['map']);
    expect(program(false).dispatches.map(({ label }) => label)).toEqual(['map', 'float16 pairs']);
    expect(program(false).scratch).toEqual([7]);
  });
});

describe.each([
  ['f16', ['shader-f16']],
  ['pairs in u32', []],
] as const)('float16 as %s', (_, features) => {
  it.each(['discrete', 'software'] as const)(
    'compiles for adapters of the class %s',
    async (adapterClass) => {
      const gpu = await nullGpuDevice([...features]);
      const device = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu, adapterClass });
      const problems: string[] = [];
      const kernels = float16Kernels();
      const prepare = async (kernel: Kernel) => {
        try {
          await device.prepare([kernel]);
        } catch (error) {
          problems.push(`${kernelTitle(kernel)}: ${error instanceof Error ? error.message : error}`);
        }
      };
      await Promise.all(kernels.map(prepare));
      expect(problems).toEqual([]);
      expect(device.statistics().pipelines).toBeGreaterThan(kernels.length / 2);
      await device.close();
      gpu.destroy();
    },
  );
});
