// The whole benchmark once, at tiny sizes: every contender that can compute a workload computes the same as the reference device.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Results } from './src/results.js';
import { type Processor, quickWorkloads } from './src/workloads.js';

const folder = mkdtempSync(join(tmpdir(), 'dmpo-benchmark-'));
let run: ReturnType<typeof spawnSync>;
/** Of each processor. */
let parts: readonly { readonly processor: Processor; readonly results: Results }[];

beforeAll(() => {
  const flags = ['--import', 'tsx', '--conditions=@dmpo/source'];
  const main = fileURLToPath(new URL('src/main.ts', import.meta.url));
  run = spawnSync(process.execPath, [...flags, main, '--quick', '--output', folder], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
  parts = (['cpu', 'gpu'] as const).map((processor) => ({
    processor,
    results: JSON.parse(readFileSync(join(folder, `results-${processor}.json`), 'utf8')),
  }));
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe('the quick benchmark', () => {
  it('ends without a failure', () => {
    expect(run.stderr).not.toContain('Error');
    expect(parts.flatMap(({ results }) => results.skips).filter(({ isFailure }) => isFailure)).toEqual([]);
    expect(run.status).toBe(0);
  });

  it('measures our devices, webgpu among them, on every workload of their processors', () => {
    for (const { id, processor } of quickWorkloads) {
      const { results } = partOf(processor);
      const measured = results.measurements.filter(({ workload }) => workload === id);
      const ours = ['reference', processor === 'cpu' ? 'cpu' : 'webgpu'];
      expect(measured.map(({ contender }) => contender)).toEqual(expect.arrayContaining(ours));
    }
  });

  it('measures peers on the cpu and on webgpu, or says why not', () => {
    for (const { id, processor } of quickWorkloads) {
      const { results } = partOf(processor);
      for (const contender of results.contenders) {
        const concerns = (entry: { workload: string; contender: string }) =>
          entry.workload === id && entry.contender === contender.id;
        expect(
          [...results.measurements, ...results.skips].filter(concerns),
          `${contender.title}, ${id}`,
        ).toHaveLength(1);
      }
    }
    const ids = (processor: Processor) => partOf(processor).results.contenders.map(({ id }) => id);
    expect(ids('cpu')).toEqual(expect.arrayContaining(['reference', 'cpu', 'tfjs', 'jax-js', 'gpu.js']));
    expect(ids('gpu')).toEqual(['reference', 'webgpu', 'tfjs-webgpu', 'jax-js-webgpu']);
    for (const { reason } of parts.flatMap(({ results }) => results.absent))
      expect(reason).toMatch(/PyTorch not found \(.+\)/);
  });

  it('finds that float32 results agree with the float64 reference', () => {
    for (const { contender, workload, disagreement } of parts.flatMap(({ results }) => results.measurements))
      expect(disagreement, `${contender}, ${workload}`).toBeLessThan(1e-5);
  });

  it('draws every workload and writes every contender down', () => {
    for (const { processor, results } of parts) {
      const svg = readFileSync(join(folder, `results-${processor}.svg`), 'utf8');
      const markdown = readFileSync(join(folder, `results-${processor}.md`), 'utf8');
      for (const { title } of quickWorkloads.filter((workload) => workload.processor === processor)) {
        expect(svg).toContain(title);
        expect(markdown).toContain(`| ${title} `);
      }
      for (const { title, library } of results.contenders)
        expect(markdown).toContain(`- ${title}: ${library};`);
    }
  });
});

function partOf(processor: Processor): { readonly results: Results } {
  const part = parts.find((one) => one.processor === processor);
  if (part === undefined) throw new Error(`There are no results on the ${processor}.`);
  return part;
}
