// One test run for the whole workspace. Packages resolve to their TypeScript sources, so nothing needs building first.
import { defaultServerConditions } from 'vite';
import { configDefaults, defineConfig } from 'vitest/config';
import { provideAdapter } from './scripts/software-gpu.ts';

const conditions = ['@dmpo/source', ...defaultServerConditions];

// Test processes inherit what this sets.
const report = provideAdapter();
console.error(
  'adapter' in report
    ? `WebGPU adapter: ${report.adapter}`
    : `No WebGPU adapter: ${report.problem} Tests that need one will fail; DMPO_TEST_SKIP=webgpu leaves them out.`,
);

// Nothing is ever skipped but by name: a test whose file or title has a word of this list.
const skipped = (process.env.DMPO_TEST_SKIP ?? '').split(',').filter(Boolean);
if (skipped.length > 0)
  console.error(`DMPO_TEST_SKIP: left out is every test whose file or title names ${skipped.join(' or ')}.`);

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'benchmarks/**/*.test.ts'],
    exclude: [
      ...configDefaults.exclude,
      ...skipped.flatMap((name) => [`**/${name}/**`, `**/${name}*.test.ts`]),
    ],
    ...(skipped.length > 0 ? { testNamePattern: new RegExp(`^(?!.*\\b(${skipped.join('|')})\\b)`) } : {}),
    pool: 'forks',
    maxWorkers: 2,
    // Some tests compile programs for a software GPU for seconds, which are minutes where the processors are busy.
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
