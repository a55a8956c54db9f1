/** Checkpoints as folders `checkpoint-STEP/`. Node only. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DmpoError } from '@dmpo/core';
import { removeFolder, removeUnfinished, writeFolder } from '../atomic-folder.js';
import { messageOf } from '../message-of.js';
import { openOutputFolder } from '../output-folder.js';
import { type CheckpointFiles, type CheckpointStorage, checkpointName } from './checkpoint-storage.js';

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
    await removeUnfinished(folder);
    return new CheckpointFolder(folder, keep);
  }

  /**
   * A crash at any moment leaves the earlier checkpoints as they were.
   * @throws `CHECKPOINT_FAILED` when the disk refuses
   */
  async save(step: number, files: CheckpointFiles): Promise<string> {
    const name = checkpointName(step);
    const path = join(this.folder, name);
    try {
      await writeFolder(path, files);
      const steps = await this.steps();
      for (const old of steps.slice(0, Math.max(0, steps.length - this.keep))) await this.remove(old);
    } catch (cause) {
      throw new DmpoError(
        'CHECKPOINT_FAILED',
        `${path} could not be written: ${messageOf(cause)}.`,
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
        `${path} cannot be read: ${messageOf(cause)}.`,
        'Resume from another checkpoint, or start again in a new folder.',
        { cause },
      );
    }
  }

  /** Removes one checkpoint. */
  async remove(step: number): Promise<void> {
    await removeFolder(join(this.folder, checkpointName(step)));
  }
}
