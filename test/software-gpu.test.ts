// The software GPU of machines without one: unpacking by several processes at once, and what Dawn makes of it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { provideAdapter } from '../scripts/software-gpu.js';

const folder = mkdtempSync(join(tmpdir(), 'dmpo-software-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the software GPU', () => {
  it('is unpacked whole when two processes ask at once and an earlier one was killed meanwhile', async () => {
    const cache = join(folder, 'cache');
    const abandoned = join(cache, 'unpacking-abandoned');
    mkdirSync(abandoned, { recursive: true });
    writeFileSync(join(abandoned, 'chromium'), 'half a progr');
    const module = fileURLToPath(new URL('../scripts/software-gpu.ts', import.meta.url));
    const source = `import { chromiumFolder } from ${JSON.stringify(module)};
      console.log(chromiumFolder(${JSON.stringify(cache)}));`;
    const flags = ['--import', 'tsx', '--input-type=module', '--eval', source];
    const answers = await Promise.all(
      [1, 2].map(async () => {
        const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
        let output = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
        await once(child, 'close');
        return output.trim();
      }),
    );
    expect(answers[0]).toContain(cache);
    expect(answers[1]).toBe(answers[0]);
    expect(statSync(join(String(answers[0]), 'chromium')).size).toBeGreaterThan(1e8);
    expect(readdirSync(cache).sort()).toEqual([expect.stringMatching(/^chromium-\d/), 'unpacking-abandoned']);
  });

  it('is missing with a reason where it cannot be unpacked', () => {
    const file = join(folder, 'a file');
    writeFileSync(file, '');
    vi.stubEnv('DMPO_TEST_GPU', 'software');
    expect(provideAdapter(join(file, 'cache'))).toEqual({
      problem: expect.stringMatching(
        /SwiftShader cannot be unpacked: .*a file|SwiftShader comes for Linux on x64/,
      ),
    });
  });

  it.runIf(process.platform === 'linux').each([
    ['fails where it is missing', '', 1, 'DMPO_TEST_SKIP=webgpu leaves them out'],
    ['is left out where it is missing and was opted out of', 'webgpu', 0, 'left out is every test'],
  ] as const)('a test that needs it %s', (_, skip, status, said) => {
    const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
    const run = spawnSync(process.execPath, [vitest, 'run', 'packages/core/src/storage.test.ts'], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: {
        ...process.env,
        DMPO_TEST_GPU: 'none',
        DMPO_TEST_SKIP: skip,
        LD_LIBRARY_PATH: '',
        VK_DRIVER_FILES: join(folder, 'no driver.json'),
      },
      encoding: 'utf8',
    });
    expect(run.stderr).toContain('No WebGPU adapter');
    expect(run.stderr).toContain(said);
    expect(run.status).toBe(status);
  });

  it('runs what `npm run software-gpu` starts, with its arguments and exit status', () => {
    const program = 'console.log(process.argv.at(-1), process.env.VK_DRIVER_FILES); process.exitCode = 3';
    const script = fileURLToPath(new URL('../scripts/with-software-gpu.ts', import.meta.url));
    const flags = ['--import', 'tsx', script, process.execPath, '--eval', program, 'a b'];
    const { status, stdout, stderr } = spawnSync(process.execPath, flags, {
      env: { ...process.env, DMPO_TEST_GPU: 'software' },
      encoding: 'utf8',
    });
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      expect(stderr).toContain('SwiftShader comes for Linux on x64');
      return;
    }
    expect(stderr).toContain('WebGPU adapter: SwiftShader');
    expect(stdout).toMatch(/^a b .*vk_swiftshader_icd\.json\n$/);
    expect(status).toBe(3);
  });
});
