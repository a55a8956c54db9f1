/** Checkpoints as folders `checkpoint-STEP/`, each complete or absent whatever happens while it is written. Node only. */

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DmpoError } from '@dmpo/core';
import { openOutputFolder } from '../output-folder.js';
import { type CheckpointFiles, type CheckpointStorage, checkpointName } from './checkpoint-storage.js';

/** What a folder that is being written, or about to be removed, is called; never the name of a checkpoint. */
const unfinished = '.unfinished';

export class CheckpointFolder implements CheckpointStorage {
  private constructor(
    private readonly folder: string,
    private readonly keep: number,
  ) {}

  /**
   * Creates the folder if need be and clears away what an interrupted run left unfinished.
   * @param keep how many checkpoints to keep: saving one more removes the oldest
   * @throws `UNWRITABLE_FOLDER`
   */
  static async open(folder: string, { keep = 3 } = {}): Promise<CheckpointFolder> {
    await openOutputFolder(folder);
    const leftovers = (await readdir(folder)).filter((name) => name.endsWith(unfinished));
    await Promise.all(leftovers.map((name) => rm(join(folder, name), { recursive: true, force: true })));
    return new CheckpointFolder(folder, keep);
  }

  /**
   * Files are written and flushed under a temporary name, and the folder renamed: a crash at any moment leaves the earlier
   * checkpoints as they were.
   * @throws `CHECKPOINT_FAILED` when the disk refuses
   */
  async save(step: number, files: CheckpointFiles): Promise<string> {
    const name = checkpointName(step);
    const target = join(this.folder, name);
    const temporary = target + unfinished;
    try {
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary);
      for (const [file, bytes] of files) await writeFlushed(join(temporary, file), bytes);
      await flush(temporary);
      await this.replace(target, temporary);
      await this.prune();
      await flush(this.folder);
    } catch (cause) {
      await rm(temporary, { recursive: true, force: true });
      throw new DmpoError(
        'CHECKPOINT_FAILED',
        `${target} could not be written: ${cause instanceof Error ? cause.message : cause}.`,
        'Earlier checkpoints are intact. Free some disk space or choose another output folder, then resume.',
        { cause },
      );
    }
    return name;
  }

  async steps(): Promise<number[]> {
    const names = await readdir(this.folder);
    return names
      .map((name) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
      .filter((step) => !Number.isNaN(step))
      .sort((a, b) => a - b);
  }

  /** @throws `UNREADABLE_CHECKPOINT` */
  async load(step: number): Promise<CheckpointFiles> {
    const path = join(this.folder, checkpointName(step));
    try {
      const names = await readdir(path);
      return new Map(
        await Promise.all(names.map(async (name) => [name, await readFile(join(path, name))] as const)),
      );
    } catch (cause) {
      throw new DmpoError(
        'UNREADABLE_CHECKPOINT',
        `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
        'Resume from another checkpoint, or start again in a new folder.',
        { cause },
      );
    }
  }

  /** Gives the finished folder its name. One folder cannot be renamed onto another, so an earlier one steps aside first. */
  private async replace(target: string, finished: string): Promise<void> {
    const aside = `${target}.replaced${unfinished}`;
    const exists = (await readdir(this.folder)).includes(basename(target));
    if (exists) await rename(target, aside);
    await rename(finished, target);
    if (exists) await rm(aside, { recursive: true, force: true });
  }

  private async prune(): Promise<void> {
    const steps = await this.steps();
    for (const step of steps.slice(0, Math.max(0, steps.length - this.keep))) {
      const path = join(this.folder, checkpointName(step));
      await rename(path, path + unfinished);
      await rm(path + unfinished, { recursive: true, force: true });
    }
  }
}

async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the entries of a folder durable, where the platform can open folders. */
async function flush(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
