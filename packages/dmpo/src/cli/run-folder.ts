/** The folder of a training run: where it can be continued, and when a new run may take its place. */

import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DmpoError } from '@dmpo/core';
import { CheckpointFolder } from '../train/checkpoint-folder.js';
import { type CheckpointFiles, type CheckpointStorage, checkpointName } from '../train/checkpoint-storage.js';

export interface RunFolder {
  /** The first checkpoint of a new run takes the place of what an earlier run left; until then nothing of it is lost. */
  readonly storage: CheckpointStorage;
  /** What to continue from; undefined for a new run. */
  readonly checkpoint: CheckpointFiles | undefined;
  /** Where the finished model goes. */
  readonly modelFolder: string;
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
    return { storage, checkpoint: await storage.load(latest), modelFolder };
  }
  const finished = await exists(modelFolder);
  if (latest !== undefined && !finished && !overwrite) {
    throw new DmpoError(
      'UNFINISHED_RUN',
      `${output} holds an unfinished run, stored as ${checkpointName(latest)}.`,
      'Continue it with --resume, discard it with --overwrite, or choose another folder with --output.',
    );
  }
  const unlimited = await CheckpointFolder.open(output, { keep: Number.POSITIVE_INFINITY });
  const replace = async (step: number, files: CheckpointFiles): Promise<string> => {
    const name = await unlimited.save(step, files);
    await rm(modelFolder, { recursive: true, force: true });
    for (const earlier of steps) if (earlier !== step) await storage.remove(earlier);
    return name;
  };
  return { storage: withFirstSave(storage, replace), checkpoint: undefined, modelFolder };
}

/** Storage whose first checkpoint is stored by `first`. */
function withFirstSave(storage: CheckpointStorage, first: CheckpointStorage['save']): CheckpointStorage {
  let save = async (step: number, files: CheckpointFiles) => {
    const name = await first(step, files);
    save = (step, files) => storage.save(step, files);
    return name;
  };
  return {
    save: (step, files) => save(step, files),
    steps: () => storage.steps(),
    load: (step) => storage.load(step),
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
