// What people are told when WebGPU cannot be opened, and what is made of an adapter's own words.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openWebGpuDevice } from '../open-webgpu.js';
import { guessAdapterClass } from './adapter-class.js';
import { browserGpu } from './gpu.browser.js';
import { explainLoadFailure, explainVulkan, nodeGpu } from './gpu.node.js';
import { findVulkan } from './vulkan.js';

describe('guessAdapterClass', () => {
  const classOf = (vendor: string, description = '', architecture = '', isFallbackAdapter = false) =>
    guessAdapterClass({ vendor, architecture, device: '', description, isFallbackAdapter });

  it('tells graphics cards, Apple, GPUs within processors, and software apart', () => {
    expect(classOf('nvidia', 'NVIDIA GeForce RTX 4090', 'lovelace')).toBe('discrete');
    expect(classOf('nvidia')).toBe('discrete');
    expect(classOf('amd', 'AMD Radeon RX 7900 XTX', 'rdna-3')).toBe('discrete');
    expect(classOf('amd', 'AMD Radeon(TM) Graphics')).toBe('integrated');
    expect(classOf('amd', 'AMD Radeon 780M Graphics (RADV PHOENIX)', 'rdna-3')).toBe('integrated');
    expect(classOf('apple', 'Apple M2', 'metal-3')).toBe('apple');
    expect(classOf('intel', 'Intel(R) Iris(R) Xe Graphics', 'gen-12lp')).toBe('integrated');
    expect(classOf('intel', 'Intel(R) Arc(TM) A770 Graphics', 'gen-12hp')).toBe('discrete');
    expect(classOf('qualcomm', 'Adreno (TM) 740', 'adreno-7xx')).toBe('integrated');
    expect(classOf('arm', 'Mali-G715', 'valhall')).toBe('integrated');
    expect(classOf('')).toBe('integrated');
    expect(classOf('google', 'SwiftShader driver 5.0.0', 'swiftshader')).toBe('software');
    expect(classOf('mesa', 'llvmpipe (LLVM 19.1.7, 256 bits)')).toBe('software');
    expect(classOf('microsoft', 'Microsoft Basic Render Driver', 'warp')).toBe('software');
    expect(classOf('', '', '', true)).toBe('software');
  });
});

describe('in Node', () => {
  it.each([
    [
      new Error(
        "/lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /app/dawn.node)",
      ),
      'GLIBCXX_3.4.32',
      'libstdc++6',
    ],
    [new Error("Cannot find module '/app/dist/linux-riscv64/dawn.node'"), 'no build for', 'builds for Linux'],
    [
      new Error("Cannot find package 'webgpu' imported from /app/index.js"),
      'not installed',
      'npm install webgpu',
    ],
    [new Error('dlopen: libfoo.so: cannot open shared object file'), 'libfoo.so', 'npm rebuild webgpu'],
  ])('explains why the package does not load: %s', (error, problem, fix) => {
    expect(explainLoadFailure(error)).toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      problem: expect.stringContaining(problem),
      fix: expect.stringMatching(new RegExp(`${fix.replace('+', '\\+').replace('+6', '\\+6')}.*'cpu'`)),
    });
  });

  it('looks for the Vulkan loader and its drivers where the system does', () => {
    const root = mkdtempSync(join(tmpdir(), 'vulkan-'));
    const add = (path: string, content = '') => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      return join(root, path);
    };
    expect(findVulkan({}, root)).toBe('no loader');
    add('etc/ld.so.cache', 'libc.so.6\0/lib/libc.so.6\0');
    expect(findVulkan({}, root)).toBe('no loader');
    const loader = add('opt/libvulkan.so.1');
    expect(findVulkan({ LD_LIBRARY_PATH: `/nowhere:${dirname(loader)}` }, root)).toBe('no driver');
    add('etc/ld.so.cache', 'libvulkan.so.1\0/opt/libvulkan.so.1\0');
    expect(findVulkan({}, root)).toBe('no driver');
    expect(findVulkan({ VK_DRIVER_FILES: add('opt/driver.json') }, root)).toBe('present');
    expect(findVulkan({ VK_DRIVER_FILES: '/nowhere/driver.json' }, root)).toBe('no driver');
    add('usr/share/vulkan/icd.d/nvidia_icd.json');
    expect(findVulkan({}, root)).toBe('present');
    rmSync(root, { recursive: true });
  });

  it('says what of Vulkan is missing', () => {
    expect(explainVulkan('no loader')?.message).toMatch(/libvulkan\.so\.1.*apt install libvulkan1/);
    expect(explainVulkan('no driver')?.message).toMatch(/no Vulkan driver.*mesa-vulkan-drivers/);
    expect(explainVulkan('present')).toBeUndefined();
  });

  it('says what to do where there is no adapter', async () => {
    const gpu = await nodeGpu.open();
    const without = {
      ...nodeGpu,
      open: async () => Object.assign(Object.create(gpu), { requestAdapter: async () => null }),
    };
    await expect(openWebGpuDevice(without)).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      fix: expect.stringContaining('driver'),
    });
  });
});

describe('in a browser', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('tells an insecure page from a browser without WebGPU', async () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('isSecureContext', false);
    await expect(browserGpu.open()).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      fix: expect.stringContaining('https'),
    });
    vi.stubGlobal('isSecureContext', true);
    await expect(browserGpu.open()).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      fix: expect.stringContaining('Chrome'),
    });
    const gpu = {};
    vi.stubGlobal('navigator', { gpu });
    expect(await browserGpu.open()).toBe(gpu);
    expect(browserGpu.explainNoAdapter().message).toContain('hardware acceleration');
  });
});
