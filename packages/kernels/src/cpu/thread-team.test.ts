// The team of threads itself, on lists of commands written by hand.
import { afterEach, expect, it } from 'vitest';
import * as layout from './assembly/layout.js';
import { DeviceMemory } from './memory.js';
import { ThreadTeam } from './thread-team.js';
import { compileKernels } from './wasm-module.js';
import { nodeHost } from './workers.node.js';

const COMMAND_BYTES = 64;
const NO_SUCH_KERNEL = 9999;

const teams: ThreadTeam[] = [];
afterEach(async () => {
  for (const team of teams.splice(0)) await team.stop();
});

async function startTeam(threads: number): Promise<{ team: ThreadTeam; memory: DeviceMemory }> {
  const { module } = await compileKernels(false, () => {});
  const memory = new DeviceMemory();
  const team = new ThreadTeam(nodeHost, module, memory, threads);
  teams.push(team);
  return { team, memory };
}

it('throws what a kernel traps with, and sets the workers free', async () => {
  const { team, memory } = await startTeam(3);
  const list = team.reserve(COMMAND_BYTES, 0, 0);
  memory.words.fill(0, list / 4, (list + COMMAND_BYTES) / 4);
  memory.words[list / 4] = NO_SUCH_KERNEL;
  memory.words[list / 4 + 2] = list;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(() => team.run(list, 1)).toThrow(WebAssembly.RuntimeError);
  expect(memory.words[layout.FAILED / 4]).toBe(1);
});

it('keeps regions apart, and gives them back', async () => {
  const { team, memory } = await startTeam(2);
  const list = team.reserve(1000, 5000, 300);
  const { words } = memory;
  const scratch = words[layout.SCRATCH / 4];
  const threadMemory = words[layout.THREAD_MEMORY / 4];
  const stride = words[layout.THREAD_MEMORY_STRIDE / 4];
  expect(stride).toBe(320);
  const ranges = [
    [list, list + 1000],
    [scratch, scratch + 5000],
    [threadMemory, threadMemory + 2 * stride],
  ].sort(([a], [b]) => a - b);
  expect(ranges[0][1]).toBeLessThanOrEqual(ranges[1][0]);
  expect(ranges[1][1]).toBeLessThanOrEqual(ranges[2][0]);
  team.trim();
  expect(team.reserve(1000, 5000, 300)).toBe(list);
});
