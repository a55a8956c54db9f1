// Opening devices by name.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nodeHost } from './cpu/workers.node.js';
import type { DeviceName } from './device.js';
import { openDevice } from './index.js';
import { openNamedDevice } from './open-device.js';
import type { GpuHost } from './webgpu/host/gpu.js';
import { nodeGpu } from './webgpu/host/gpu.node.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  vi.doUnmock('gpu.js');
});

async function nameOf(name?: DeviceName): Promise<string> {
  const device = await openDevice(name, { threads: 1 });
  await device.close();
  return device.name;
}

describe('openDevice', () => {
  it('opens the device of the name', async () => {
    expect(await nameOf('cpu')).toBe('cpu');
    expect(await nameOf('reference')).toBe('reference');
  });

  it("takes webgpu for 'auto' where there is a GPU on which it works, otherwise the cpu", async () => {
    const take = async (gpu: GpuHost) => {
      const device = await openNamedDevice({ cpu: nodeHost, gpu }, 'auto', { threads: 1 });
      await device.close();
      return device.name;
    };
    const refuse = async () => {
      throw new Error('WebGPU is broken');
    };
    expect(await take(withAdapter({ vendor: 'nvidia' }))).toBe('webgpu');
    expect(await take(withAdapter({ vendor: 'google', architecture: 'swiftshader' }))).toBe('cpu');
    expect(await take(withAdapter(null))).toBe('cpu');
    expect(await take(withAdapter({ vendor: 'nvidia' }, refuse))).toBe('cpu');
    expect(await take({ ...nodeGpu, open: refuse })).toBe('cpu');
  });

  it("takes for 'auto' what DMPO_DEVICE names", async () => {
    vi.stubEnv('DMPO_DEVICE', 'reference');
    expect(await nameOf('auto')).toBe('reference');
    expect(await nameOf()).toBe('reference');
    expect(await nameOf('cpu')).toBe('cpu');
    vi.stubEnv('DMPO_DEVICE', '');
    expect(['webgpu', 'cpu']).toContain(await nameOf('auto'));
  });

  it("takes gpujs for 'auto' where the engine lacks what the cpu device needs", async () => {
    vi.stubEnv('DMPO_DEVICE', '');
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(await nameOf('auto')).toBe('gpujs');
    await expect(openDevice('cpu')).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    vi.doMock('gpu.js', () => {
      throw new Error('not installed');
    });
    await expect(openDevice('auto')).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining('SIMD'),
    });
  });

  it('says which devices there are when it has none of the name', async () => {
    vi.stubEnv('DMPO_DEVICE', 'abacus');
    await expect(openDevice('auto')).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining('abacus'),
      fix: expect.stringContaining("'webgpu', 'cpu'"),
    });
  });
});

/** This machine's WebGPU, whose adapter calls itself something else; null for none. */
function withAdapter(
  named: Partial<GPUAdapterInfo> | null,
  requestDevice?: () => Promise<GPUDevice>,
): GpuHost {
  const open = async () => {
    const gpu = await nodeGpu.open();
    const adapter = await gpu.requestAdapter();
    if (adapter === null) throw new Error('There is no adapter.');
    const { features, limits } = adapter;
    const info = { vendor: '', architecture: '', device: '', description: '', ...named };
    const renamed = {
      ...{ features, limits, info },
      requestDevice:
        requestDevice ?? ((descriptor: GPUDeviceDescriptor) => adapter.requestDevice(descriptor)),
    };
    return {
      wgslLanguageFeatures: gpu.wgslLanguageFeatures,
      requestAdapter: async () => (named === null ? null : renamed),
    } as unknown as GPU;
  };
  return { ...nodeGpu, open };
}
