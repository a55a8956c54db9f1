/** The folder of a training run: where it can be continued, and when a new run may take its place. */

import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DmpoError } from '@dmpo/core';
import { CheckpointFolder } from '../train/checkpoint-folder.js';
import { type CheckpointFiles, checkpointName } from '../train/checkpoint-storage.js';

export interface RunFolder {
  readonly storage: CheckpointFolder;
  /** What to continue from; undefined for a new run. */
  readonly checkpoint: CheckpointFiles | undefined;
  /** Where the finished model goes. */
  readonly modelFolder: string;
  /** To be called once nothing can go wrong any more but training itself: removes what a new run replaces. */
  readonly begin: () => Promise<void>;
}

export interface RunFolderOptions {
  readonly output: string;
  readonly keepCheckpoints: number;
  /** Continue from the latest checkpoint. */
  readonly resume: boolean;
  /** Discard an unfinished run. */
  readonly overwrite: boolean;
}

/**
 * Opens the folder. A run that finished makes room for a new one; one that did not is never discarded unasked.
 * @throws `UNWRITABLE_FOLDER`, `NO_CHECKPOINT` when there is nothing to resume, `UNFINISHED_RUN`
 */
export async function openRunFolder({
  output,
  keepCheckpoints,
  resume,
  overwrite,
}: RunFolderOptions): Promise<RunFolder> {
  const storage = await CheckpointFolder.open(output, { keep: keepCheckpoints });
  const modelFolder = join(output, 'model');
  const steps = await storage.steps();
  const latest = steps.at(-1);
  if (resume) {
    if (latest === undefined) {
      throw new DmpoError(
        'NO_CHECKPOINT',
        `${output} holds no checkpoint to resume from.`,
        'Leave out --resume to start a new run.',
      );
    }
    return { storage, checkpoint: await storage.load(latest), modelFolder, begin: async () => {} };
  }
  const finished = await exists(modelFolder);
  if (latest !== undefined && !finished && !overwrite) {
    throw new DmpoError(
      'UNFINISHED_RUN',
      `${output} holds an unfinished run, stored as ${checkpointName(latest)}.`,
      'Continue it with --resume, discard it with --overwrite, or choose another folder with --output.',
    );
  }
  const begin = async () => {
    await rm(modelFolder, { recursive: true, force: true });
    for (const step of steps) await storage.remove(step);
  };
  return { storage, checkpoint: undefined, modelFolder, begin };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
