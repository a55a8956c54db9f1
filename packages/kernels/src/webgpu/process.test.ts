// The webgpu device in a process of its own: nothing of it may keep the process alive, or break its end.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const entry = new URL('../index.ts', import.meta.url).href;
const workspace = fileURLToPath(new URL('../../../..', import.meta.url));

/** Runs a module in which `device` has been opened, and returns what it printed once it has ended by itself. */
async function run(body: string): Promise<string> {
  const source = `
    import { openDevice } from ${JSON.stringify(entry)};
    const open = () => openDevice('webgpu');
    const work = async (device) => {
      const buffer = device.allocate(400_000);
      const expression = { instructions: [{ op: 'constant', dtype: 'float32', value: 7 }], results: [0] };
      const kernel = { kind: 'map', inputs: [], scalars: [], shape: [100_000], expression };
      device.submit([{ kernel, inputs: [], outputs: [buffer], scalars: [] }]);
      const [value] = await device.read(buffer, 'float32', 1);
      device.submit([{ kernel, inputs: [], outputs: [buffer], scalars: [] }]);
      return value;
    };
    ${body}`;
  const options = { cwd: workspace, timeout: 30_000 };
  const argv = ['--import', 'tsx', '--input-type=module', '--eval', source];
  const { stdout } = await promisify(execFile)(process.execPath, argv, options);
  return stdout.trim();
}

describe('a process with a webgpu device', () => {
  it('ends by itself when the device is closed', async () => {
    const stdout = await run(`
      const device = await open();
      console.log(await work(device));
      await device.close();`);
    expect(stdout).toBe('7');
  });

  it('ends by itself when nobody closes the device, even if somebody holds it', async () => {
    expect(await run(`console.log(await work(await open()));`)).toBe('7');
    expect(await run(`globalThis.device = await open(); console.log(await work(device));`)).toBe('7');
  });

  it('may end while pipelines compile', async () => {
    const stdout = await run(`
      const device = await open();
      const floats = { inputs: ['float32', 'float32'], scalars: [] };
      const kernels = Array.from({ length: 4 }, (_, i) => ({
        ...{ kind: 'matmul', batch: 1, m: 5 + i, n: 7, k: 9, transposeA: false, transposeB: false },
        ...{ batchedA: true, batchedB: true, ...floats },
      }));
      device.prepare(kernels).catch(({ code }) => console.log(code));
      await device.close();`);
    expect(stdout).toBe('DEVICE_CLOSED');
  });

  it('can open one device after the other', async () => {
    const stdout = await run(`
      for (let round = 0; round < 5; round++) {
        const device = await open();
        console.log(await work(device));
        await device.close();
      }`);
    expect(stdout).toBe('7\n7\n7\n7\n7');
  });
});
