// Checkpoint folders on a real disk: complete or absent, whatever happens while they are written.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckpointFolder } from './checkpoint-folder.js';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dmpo-checkpoints-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = (text: string) =>
  new Map([
    ['model.safetensors', new TextEncoder().encode(text)],
    ['state.json', new TextEncoder().encode('{}')],
  ]);

const content = (step: number) =>
  readFileSync(join(folder, `checkpoint-${step}`, 'model.safetensors'), 'utf8');

describe('CheckpointFolder', () => {
  it('gives back what it stored', async () => {
    const checkpoints = await CheckpointFolder.open(join(folder, 'new', 'nested'));
    expect(await checkpoints.steps()).toEqual([]);
    expect(await checkpoints.save(10, files('ten'))).toBe('checkpoint-10');
    await checkpoints.save(9, files('nine'));
    expect(await checkpoints.steps()).toEqual([9, 10]);
    const loaded = await checkpoints.load(10);
    expect([...loaded.keys()].sort()).toEqual(['model.safetensors', 'state.json']);
    expect(new TextDecoder().decode(loaded.get('model.safetensors'))).toBe('ten');
  });

  it('keeps only as many as asked, the latest ones, and nothing else', async () => {
    const checkpoints = await CheckpointFolder.open(folder, { keep: 2 });
    for (const step of [1, 2, 3, 10]) await checkpoints.save(step, files(`${step}`));
    expect(readdirSync(folder).sort()).toEqual(['checkpoint-10', 'checkpoint-3']);
  });

  it('replaces a checkpoint of the same step', async () => {
    const checkpoints = await CheckpointFolder.open(folder);
    await checkpoints.save(5, files('old'));
    await checkpoints.save(5, files('new'));
    expect(content(5)).toBe('new');
    expect(readdirSync(folder)).toEqual(['checkpoint-5']);
  });

  it('leaves earlier checkpoints untouched when a write fails in the middle', async () => {
    const checkpoints = await CheckpointFolder.open(folder);
    await checkpoints.save(1, files('one'));
    const impossible = new Map([...files('two'), ['missing-folder/file', new Uint8Array(1)]]);
    for (const step of [1, 2]) {
      await expect(checkpoints.save(step, impossible)).rejects.toMatchObject({ code: 'CHECKPOINT_FAILED' });
    }
    expect(readdirSync(folder)).toEqual(['checkpoint-1']);
    expect(content(1)).toBe('one');
  });

  it('shows only complete checkpoints after the process was killed while writing', async () => {
    const script = `
      import { CheckpointFolder } from ${JSON.stringify(new URL('./checkpoint-folder.ts', import.meta.url).href)};
      const checkpoints = await CheckpointFolder.open(${JSON.stringify(folder)}, { keep: 3 });
      for (let step = 1; ; step++) {
        const files = Array.from({ length: 8 }, (_, i) => ['file-' + i, new Uint8Array(100_000).fill(step)]);
        await checkpoints.save(step, new Map(files));
      }`;
    const root = fileURLToPath(new URL('../../../../', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--conditions=@dmpo/source', '--import=tsx', '--input-type=module', '--eval', script],
      { cwd: root, stdio: 'inherit' },
    );
    while (!existsSync(join(folder, 'checkpoint-4')) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await once(child, 'exit');

    const checkpoints = await CheckpointFolder.open(folder);
    const steps = await checkpoints.steps();
    expect(steps.length).toBeGreaterThanOrEqual(2);
    for (const step of steps) {
      const loaded = await checkpoints.load(step);
      expect(loaded.size).toBe(8);
      for (const bytes of loaded.values()) {
        expect(bytes.length).toBe(100_000);
        expect(new Set(bytes)).toEqual(new Set([step % 256]));
      }
    }
    expect(readdirSync(folder).every((name) => /^checkpoint-\d+$/.test(name))).toBe(true);
  });

  it('clears away what an interrupted run left', async () => {
    mkdirSync(join(folder, 'checkpoint-7.unfinished'));
    const checkpoints = await CheckpointFolder.open(folder);
    expect(await checkpoints.steps()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names a checkpoint that cannot be read', async () => {
    const checkpoints = await CheckpointFolder.open(folder);
    await expect(checkpoints.load(3)).rejects.toMatchObject({
      code: 'UNREADABLE_CHECKPOINT',
      problem: expect.stringContaining('checkpoint-3'),
    });
  });

  it('refuses a place that cannot be written to', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(CheckpointFolder.open(join(folder, 'file'))).rejects.toMatchObject({
      code: 'UNWRITABLE_FOLDER',
    });
    await expect(CheckpointFolder.open(join(folder, 'file', 'below'))).rejects.toMatchObject({
      code: 'UNWRITABLE_FOLDER',
    });
  });
});
