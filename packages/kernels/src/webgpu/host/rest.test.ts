// Waiting for a software GPU: the thread sleeps, but never for long, and the program goes on.
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { nodeGpu } from './gpu.node.js';
import { Rest } from './rest.js';

/** Sleeps that were asked for, in milliseconds; each is slept. */
function restWithLog() {
  const sleeps: number[] = [];
  const rest = new Rest((milliseconds) => {
    sleeps.push(milliseconds);
    nodeGpu.sleep?.(milliseconds);
  });
  return { rest, sleeps };
}

describe('Rest', () => {
  it('sleeps longer the longer it waits, and never more than a millisecond', async () => {
    const { rest, sleeps } = restWithLog();
    expect(await rest.during(after(60, 'done'))).toBe('done');
    expect(sleeps.length).toBeGreaterThan(10);
    expect(sleeps[0]).toBeLessThan(0.5);
    expect(Math.max(...sleeps)).toBe(1);
  });

  it('sleeps no more when nothing is waited for, whether it came or failed', async () => {
    const { rest, sleeps } = restWithLog();
    await rest.during(after(5));
    await expect(rest.during(after(5).then(() => Promise.reject(new Error('lost'))))).rejects.toThrow('lost');
    await after(5);
    const count = sleeps.length;
    await after(20);
    expect(sleeps.length).toBe(count);
  });

  it('sleeps once a turn, however many wait, and however many waited before', async () => {
    const { rest, sleeps } = restWithLog();
    for (let round = 0; round < 50; round++) await rest.during(Promise.resolve());
    await Promise.all(Array.from({ length: 50 }, () => rest.during(after(40))));
    const total = sleeps.reduce((sum, milliseconds) => sum + milliseconds, 0);
    expect(total).toBeGreaterThan(5);
    expect(total).toBeLessThan(200);
    const turns = sleeps.length;
    await rest.during(new Promise((resolve) => setImmediate(resolve)));
    expect(sleeps.length - turns).toBeLessThanOrEqual(2);
  });
});
