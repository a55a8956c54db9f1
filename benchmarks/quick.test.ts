// The whole benchmark once, at tiny sizes: every contender that can compute a workload computes the same as the reference device.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Results } from './src/results.js';
import { quickWorkloads } from './src/workloads.js';

const folder = mkdtempSync(join(tmpdir(), 'dmpo-benchmark-'));
let run: ReturnType<typeof spawnSync>;
let results: Results;

beforeAll(() => {
  const flags = ['--import', 'tsx', '--conditions=@dmpo/source'];
  const main = fileURLToPath(new URL('src/main.ts', import.meta.url));
  run = spawnSync(process.execPath, [...flags, main, '--quick', '--output', folder], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
  results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe('the quick benchmark', () => {
  it('ends without a failure', () => {
    expect(run.stderr).not.toContain('Error');
    expect(results.skips.filter(({ isFailure }) => isFailure)).toEqual([]);
    expect(run.status).toBe(0);
  });

  it('measures our devices on every workload of their processors', () => {
    for (const { id, processor } of quickWorkloads) {
      const measured = results.measurements.filter(({ workload }) => workload === id);
      const ours = ['reference', processor === 'cpu' ? 'cpu' : 'webgpu'];
      expect(measured.map(({ contender }) => contender)).toEqual(expect.arrayContaining(ours));
    }
  });

  it('measures peers, or says why not', () => {
    for (const { id, processor } of quickWorkloads)
      for (const contender of results.contenders.filter(({ processors }) => processors.includes(processor))) {
        const concerns = (entry: { workload: string; contender: string }) =>
          entry.workload === id && entry.contender === contender.id;
        expect(
          [...results.measurements, ...results.skips].filter(concerns),
          `${contender.title}, ${id}`,
        ).toHaveLength(1);
      }
    expect(results.contenders.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['tfjs', 'jax-js', 'gpu.js', 'tfjs-webgpu', 'jax-js-webgpu']),
    );
    for (const { reason } of results.absent) expect(reason).toMatch(/PyTorch not found \(.+\)/);
  });

  it('finds that float32 results agree with the float64 reference', () => {
    for (const { contender, workload, disagreement } of results.measurements)
      expect(disagreement, `${contender}, ${workload}`).toBeLessThan(1e-5);
  });

  it('draws every workload and writes every contender down', () => {
    const svg = readFileSync(join(folder, 'results.svg'), 'utf8');
    const markdown = readFileSync(join(folder, 'results.md'), 'utf8');
    for (const { title } of quickWorkloads) {
      expect(svg).toContain(title);
      expect(markdown).toContain(`| ${title} `);
    }
    for (const { title, library } of results.contenders)
      expect(markdown).toContain(`- ${title}: ${library};`);
  });
});
