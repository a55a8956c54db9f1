// What is special about the gpujs device: its modes, what they cannot compute in float32, and its failures.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Device, GpuJsMode } from '../device.js';
import { type Kernel, kernelOutputs } from '../kernel.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { runKernel } from '../testing/run-kernel.js';
import { openGpuJsDevice } from './gpujs-device.js';

afterEach(() => {
  vi.doUnmock('gpu.js');
  vi.resetModules();
});

async function withDevice(gpujsMode: GpuJsMode, test: (device: Device) => Promise<void>): Promise<void> {
  const device = await openGpuJsDevice({ gpujsMode, poison: true });
  await test(device);
  await device.close();
}

const copy = (elements: number): Kernel => {
  const e = new ExpressionBuilder([elements]);
  const reversed = e.load(0, { view: { offset: elements - 1, strides: [-1] } });
  return { kind: 'map', inputs: ['float32'], scalars: [], shape: [elements], expression: e.build(reversed) };
};

describe('the gpujs device', () => {
  it.each([
    ['webasm', 'WebAssembly'],
    ['cpu', 'JavaScript'],
  ] as const)('computes in mode %s when asked to, and says so', async (mode, description) => {
    await withDevice(mode, async (device) => {
      expect(device.description).toContain(description);
      const [output] = await runKernel(device, copy(3), [[1, 2, 3]]);
      expect(Array.from(output)).toEqual([3, 2, 1]);
    });
  });

  it('has no WebGL2 in Node', async () => {
    await expect(openGpuJsDevice({ gpujsMode: 'webgl2' })).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining('WebGL2'),
    });
  });

  it('says how to install gpu.js where it is not installed', async () => {
    vi.resetModules();
    vi.doMock('gpu.js', () => {
      throw new Error("Cannot find package 'gpu.js'");
    });
    const { openGpuJsDevice: openWithoutLibrary } = await import('./gpujs-device.js');
    await expect(openWithoutLibrary()).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      message: expect.stringContaining('npm install gpu.js'),
    });
  });

  it('finds elements that float32 cannot count', async () => {
    const elements = 2 ** 24 + 3;
    await withDevice('webasm', async (device) => {
      const [input, output] = [0, 1].map(() => device.allocate(4 * elements));
      const data = new Float32Array(elements);
      data.set([1, 2, 3, 4, 5]);
      device.write(input, 'float32', data);
      device.submit([{ kernel: copy(elements), inputs: [input], outputs: [output], scalars: [] }]);
      const result = await device.read(output, 'float32', elements);
      expect(Array.from(result.subarray(-6))).toEqual([0, 5, 4, 3, 2, 1]);
    });
  });

  it('keeps all bits of integers, of loads, scalars and sums', async () => {
    const e = new ExpressionBuilder([2]);
    const sum = e.apply('add', e.load(0, { dtype: 'uint32' }), e.scalar(0, 'uint32'));
    const kernel: Kernel = {
      kind: 'map',
      inputs: ['uint32'],
      scalars: ['uint32'],
      shape: [2],
      expression: e.build(sum, e.apply('toInt32', sum)),
    };
    expect(kernelOutputs(kernel).map(({ dtype }) => dtype)).toEqual(['uint32', 'int32']);
    await withDevice('webasm', async (device) => {
      const [unsigned, signed] = await runKernel(device, kernel, [[2 ** 31 + 1, 16777217]], [2 ** 31 + 2]);
      expect(Array.from(unsigned)).toEqual([3, 2 ** 31 + 16777219]);
      expect(Array.from(signed)).toEqual([3, 16777219 - 2 ** 31]);
    });
  });

  it('says so when there is no memory', async () => {
    await withDevice('cpu', async (device) => {
      expect(() => device.allocate(2 ** 50)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
    });
  });

  it('is of no more use when gpu.js has failed', async () => {
    const device = await openGpuJsDevice({ gpujsMode: 'webasm' });
    const [input, output] = [0, 1].map(() => device.allocate(12));
    await device.prepare([copy(3)]);
    const validate = vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    const run = () => device.submit([{ kernel: copy(3), inputs: [input], outputs: [output], scalars: [] }]);
    const failure = expect.objectContaining({
      code: 'DEVICE_FAILED',
      problem: expect.stringMatching(/map kernel: .*failed validation/),
    });
    expect(run).toThrow(failure);
    validate.mockRestore();
    expect(run).toThrow(failure);
    await expect(device.read(output, 'float32', 3)).rejects.toEqual(failure);
    await expect(device.finish()).rejects.toEqual(failure);
    await device.close();
  });
});
