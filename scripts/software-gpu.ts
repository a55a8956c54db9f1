/**
 * A software GPU for machines that have none: the Vulkan loader and the SwiftShader driver which the npm package
 * @sparticuz/chromium carries beside its headless Chromium. Dawn finds them by environment variables, which the system reads when a
 * process starts: they are set here, for the processes that this one starts from then on.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const chromiumEntry = createRequire(join(root, 'package.json')).resolve('@sparticuz/chromium');
const webgpuEntry = createRequire(join(root, 'packages/kernels/package.json')).resolve('webgpu');

/** A WebGPU adapter of this machine, or why there is none. */
export type AdapterReport =
  | { readonly adapter: string; readonly isSoftware: boolean }
  | { readonly problem: string };

/**
 * Sees to it that processes started from now on find a WebGPU adapter: this machine's own if it has one, real or software, otherwise
 * SwiftShader. DMPO_TEST_GPU=software takes SwiftShader in any case. It is unpacked under `cache`.
 */
export function provideAdapter(cache?: string): AdapterReport {
  const wanted = process.env.DMPO_TEST_GPU || 'auto';
  if (wanted !== 'auto' && wanted !== 'software')
    return { problem: `DMPO_TEST_GPU=${wanted} is unknown: use 'software', or leave it unset.` };
  if (wanted === 'auto') {
    const found = probeAdapter();
    if ('adapter' in found) return found;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      problem: `${process.platform} ${process.arch} has no adapter, and SwiftShader comes for Linux on x64.`,
    };
  try {
    Object.assign(process.env, softwareAdapterEnvironment(chromiumFolder(cache)));
  } catch (error) {
    return { problem: `SwiftShader cannot be unpacked: ${messageOf(error)}` };
  }
  return probeAdapter();
}

/** The variables by which Dawn finds the driver in a folder that `chromiumFolder` gave. */
export function softwareAdapterEnvironment(folder: string): Record<string, string> {
  const others = (process.env.LD_LIBRARY_PATH ?? '')
    .split(delimiter)
    .filter((path) => path && path !== folder);
  return {
    LD_LIBRARY_PATH: [folder, ...others].join(delimiter),
    VK_DRIVER_FILES: join(folder, 'vk_swiftshader_icd.json'),
  };
}

/**
 * The folder with `chromium`, the Vulkan loader, SwiftShader, and under `al2023/lib` the libraries that Chromium needs and small
 * systems lack. Unpacked once for each version of the package, under `cache`; processes may ask for it at the same time.
 */
export function chromiumFolder(cache = join(root, 'node_modules/.cache/dmpo')): string {
  const folder = join(cache, `chromium-${packageVersion()}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Another process must never see half of it: unpack elsewhere, then rename, which is atomic.
  const unfinished = mkdtempSync(join(cache, 'unpacking-'));
  try {
    unpack(unfinished);
    renameSync(unfinished, folder);
  } catch (error) {
    // Renaming onto a folder with content fails: somebody else was first.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(dirname(chromiumEntry), '../package.json'), 'utf8')).version;
}

/** The package unpacks to the system's folder for temporary files, which the variable TMPDIR names. */
function unpack(folder: string): void {
  const libraries = join(dirname(chromiumEntry), '../bin/al2023.tar.br');
  runModule(
    `const { default: chromium, inflate } = await import(${JSON.stringify(pathToFileURL(chromiumEntry).href)});
    await chromium.executablePath();
    await inflate(${JSON.stringify(libraries)});`,
    { TMPDIR: folder },
  );
  const content = readdirSync(folder);
  for (const expected of ['chromium', 'libvulkan.so.1', 'vk_swiftshader_icd.json', 'al2023'])
    if (!content.includes(expected)) throw new Error(`@sparticuz/chromium unpacked no ${expected}.`);
}

/** Asks in a process of its own, for only a new process sees changed library paths. */
function probeAdapter(): AdapterReport {
  const source = `const { create } = await import(${JSON.stringify(pathToFileURL(webgpuEntry).href)});
    const found = await create([]).requestAdapter();
    const { vendor, architecture, description, isFallbackAdapter } = found?.info ?? {};
    const adapter = [description || architecture, vendor].filter(Boolean).join(', ') || 'an adapter without a name';
    const report = found ? { adapter, isSoftware: isFallbackAdapter } : { problem: 'Dawn finds no adapter.' };
    console.log(JSON.stringify(report));`;
  try {
    return JSON.parse(runModule(source));
  } catch (error) {
    return { problem: `Dawn does not start: ${messageOf(error)}` };
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What a module printed, run by a new Node. */
function runModule(source: string, environment: Record<string, string> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', source],
    {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw error ?? new Error(stderr.trim().split('\n').slice(-8).join('\n') || 'it crashed');
  return stdout;
}
