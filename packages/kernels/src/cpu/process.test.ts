// The CPU device in a process of its own: idle workers must not keep it alive.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const entry = new URL('../index.ts', import.meta.url).href;
const workspace = fileURLToPath(new URL('../../../..', import.meta.url));

/** Runs a module in which `device` has three threads, and returns what it printed once it has ended by itself. */
async function run(body: string): Promise<string> {
  const source = `
    import { openDevice } from ${JSON.stringify(entry)};
    const device = await openDevice('cpu', { threads: 3 });
    const buffer = device.allocate(400_000);
    const expression = { instructions: [{ op: 'constant', dtype: 'float32', value: 7 }], results: [0] };
    const kernel = { kind: 'map', inputs: [], scalars: [], shape: [100_000], expression };
    const command = { kernel, inputs: [], outputs: [buffer], scalars: [] };
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${body}`;
  const options = { cwd: workspace, timeout: 30_000 };
  const argv = ['--import', 'tsx', '--input-type=module', '--eval', source];
  const { stdout } = await promisify(execFile)(process.execPath, argv, options);
  return stdout.trim();
}

describe('a process with an open cpu device', () => {
  it('ends by itself while workers are starting, and while they wait for work', async () => {
    expect(await run(`device.submit([command]); console.log('started');`)).toBe('started');
    const worked = `
      for (let i = 0; i < 20; i++) { device.submit([command]); await pause(10); }
      const [value] = await device.read(buffer, 'float32', 1);
      console.log('worked', value);`;
    expect(await run(worked)).toBe('worked 7');
  });

  it('can close the device while workers wait, and open another', async () => {
    const body = `
      await pause(200);
      device.submit([command]);
      await device.close();
      const second = await openDevice('cpu', { threads: 2 });
      console.log('opened', second.description.slice(0, 9));
      await second.close();`;
    expect(await run(body)).toBe('opened 2 threads');
  });
});
