// The README's example is examples/dmpo-step.ts to the letter, and it runs.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const example = 'examples/dmpo-step.ts';

describe('the README', () => {
  it('shows the example that is tested', async () => {
    const readme = await readFile(pathOf('README.md'), 'utf8');
    const [, shown] = /```ts\n(import [\s\S]*?)```/.exec(readme) ?? [];
    expect(shown).toBe(await readFile(pathOf(example), 'utf8'));
  });

  it('shows an example whose loss starts where the mathematics says and falls', async () => {
    const command = ['--conditions=@dmpo/source', '--import', 'tsx', pathOf(example)];
    const { stdout } = await promisify(execFile)(process.execPath, command);
    const [before, after] = stdout.trim().split(' ').map(Number) as [number, number];
    // KL(Bernoulli(1/2) || Bernoulli(0.99)): the policy is still its reference.
    expect(before).toBeCloseTo(0.5 * Math.log(0.5 / 0.99) + 0.5 * Math.log(0.5 / 0.01), 5);
    expect(after).toBeLessThan(before / 2);
  });
});
