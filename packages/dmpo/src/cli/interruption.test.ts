// Ctrl-C once and twice.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Interrupted, interruptible } from './interruption.js';

afterEach(() => vi.restoreAllMocks());

describe('interruptible', () => {
  it('aborts the signal at the first Ctrl-C and ends the process at the second', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    const notes: string[] = [];
    const reason = await interruptible(
      (line) => notes.push(line),
      async (signal) => {
        process.emit('SIGINT');
        expect(signal.aborted).toBe(true);
        expect(exit).not.toHaveBeenCalled();
        process.emit('SIGINT');
        expect(exit).toHaveBeenCalledExactlyOnceWith(130);
        return signal.reason;
      },
    );
    expect(reason).toBeInstanceOf(Interrupted);
    expect(notes[0]).toContain('Press Ctrl-C again');
  });

  it('leaves no handler behind, whether the job succeeds or fails', async () => {
    const before = process.listenerCount('SIGINT');
    await interruptible(
      () => {},
      async () => {},
    );
    await expect(
      interruptible(
        () => {},
        () => Promise.reject(new Error('no')),
      ),
    ).rejects.toThrow('no');
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
