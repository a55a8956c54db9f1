// Choosing tiles by measuring: what is measured, what is refused, and what a later device makes of the choice.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Kernel } from '../../kernel.js';
import { nodeGpu } from '../host/gpu.node.js';
import { kernelProgram } from '../kernels.js';
import { openWebGpuDevice } from '../open-webgpu.js';
import type { WebGpuDevice } from '../webgpu-device.js';
import { parseTuning, withTuning } from './tuning-file.js';

const matmul = (m: number, n: number, k: number): Kernel => ({
  kind: 'matmul',
  inputs: ['float32', 'float32'],
  scalars: [],
  batch: 1,
  m,
  n,
  k,
  transposeA: false,
  transposeB: false,
  batchedA: true,
  batchedB: true,
});

const folder = mkdtempSync(join(tmpdir(), 'dmpo-tuning-'));
const file = join(folder, 'deep', 'tuning.json');

beforeAll(() => {
  vi.stubEnv('DMPO_TUNING_FILE', file);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** The programs that a device writes of kernels, as labels. */
async function labels(kernel: Kernel): Promise<string[]> {
  const written: string[] = [];
  const device = await openWebGpuDevice(
    nodeGpu,
    {},
    {
      programs(...args) {
        const program = kernelProgram(...args);
        written.push(...program.dispatches.map(({ label }) => label));
        return program;
      },
    },
  );
  await device.prepare([kernel]);
  await device.close();
  return written;
}

describe('tuning', () => {
  let device: WebGpuDevice;
  beforeAll(async () => {
    device = await openWebGpuDevice(nodeGpu);
  });
  afterAll(() => device.close());

  it('measures up to eight tiles for each class of shapes, once, and leaves no memory behind', async () => {
    const progress: string[] = [];
    const kernels = [matmul(96, 96, 64), matmul(90, 90, 66), matmul(96, 96, 64)];
    const { shapes, storedIn } = await device.tune(kernels, (done, total) =>
      progress.push(`${done}/${total}`),
    );
    expect(new Set(shapes.map(({ shapeClass }) => shapeClass)).size).toBe(shapes.length);
    expect(progress).toEqual(
      Array.from({ length: shapes.length + 1 }, (_, done) => `${done}/${shapes.length}`),
    );
    for (const { tiles, chosen, speedup } of shapes) {
      expect(tiles.length).toBeGreaterThan(1);
      expect(tiles.length).toBeLessThanOrEqual(8);
      for (const { microseconds, refusal } of tiles) {
        expect(refusal).toBeUndefined();
        expect(microseconds).toBeGreaterThan(0);
      }
      const times = new Map(tiles.map(({ name, microseconds = Number.NaN }) => [name, microseconds]));
      expect(Number(times.get(tiles[0].name)) / Number(times.get(chosen))).toBeCloseTo(speedup, 5);
    }
    expect(device.memory().buffers).toBe(0);
    expect(storedIn).toBe(file);
  });

  it('is remembered by devices opened later, for the same shader sources only', async () => {
    const kernel = matmul(96, 96, 64);
    const [before] = await labels(kernel);
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
    const [key, choices] = Object.entries(stored)[0];
    const shapeClass = kernelProgram(kernel, { ...targetLike(), tuned: new Map() }, []).dispatches[0].tile
      ?.shapeClass;
    const other = before.includes('4x4') ? '8x8' : '4x4';
    const tuned = { ...choices, [String(shapeClass)]: other };
    writeFileSync(file, JSON.stringify({ [key]: tuned }));
    const [after] = await labels(kernel);
    expect(after).not.toBe(before);
    expect(after).toContain(other);
    writeFileSync(file, JSON.stringify({ [`${key} of another version`]: tuned }));
    expect(await labels(kernel)).not.toContain(after);
  });

  it('refuses a tile whose result differs', async () => {
    // Every tile but the model's choice forgets to add the last product.
    let first: string | undefined;
    const cheating = await openWebGpuDevice(
      nodeGpu,
      {},
      {
        programs(kernel, target, inPlace) {
          const program = kernelProgram(kernel, target, inPlace);
          const [{ label }] = program.dispatches;
          first ??= label;
          if (kernel.kind !== 'matmul' || label === first) return program;
          return kernelProgram({ ...kernel, k: kernel.k - 1 }, target, inPlace);
        },
      },
    );
    const { shapes } = await cheating.tune([matmul(96, 96, 64)]);
    const [{ tiles, chosen, speedup }] = shapes;
    expect(tiles.slice(1).map(({ refusal }) => refusal)).toEqual(
      tiles.slice(1).map(() => 'its result differs'),
    );
    expect(chosen).toBe(tiles[0].name);
    expect(speedup).toBe(1);
    await cheating.close();
  });
});

describe('the tuning file', () => {
  it('keeps what was found for other adapters and other shapes', () => {
    let text = withTuning(undefined, 'one', new Map([['small', 'a']]));
    text = withTuning(text, 'two', new Map([['small', 'b']]));
    text = withTuning(text, 'one', new Map([['large', 'c']]));
    expect([...parseTuning(text, 'one')]).toEqual([
      ['small', 'a'],
      ['large', 'c'],
    ]);
    expect([...parseTuning(text, 'two')]).toEqual([['small', 'b']]);
    expect(parseTuning(text, 'three').size).toBe(0);
  });

  it('is taken for empty when it is damaged', () => {
    for (const text of ['', '{', '[]', '7', '{"one": 3}', '{"one": {"small": 3}}']) {
      expect(parseTuning(text, 'one').size).toBe(0);
      expect(parseTuning(withTuning(text, 'one', new Map([['small', 'a']])), 'one').get('small')).toBe('a');
    }
  });
});

/** Shape classes do not depend on the target's numbers. */
function targetLike() {
  return {
    adapterClass: 'software',
    workgroupBytes: 16384,
    invocations: 256,
    storageBuffers: 8,
    workgroupsPerDimension: 65535,
  } as const;
}
