/** Where a trainer keeps its checkpoints: an interface, so that trainers run where there is no file system. */

/** The files of one checkpoint by name, without folders. */
export type CheckpointFiles = ReadonlyMap<string, Uint8Array>;

export interface CheckpointStorage {
  /** Stores a checkpoint completely or not at all, and returns its name: `checkpoint-STEP`. */
  save(step: number, files: CheckpointFiles): Promise<string>;
  /** Steps of the stored checkpoints, ascending. */
  steps(): Promise<number[]>;
  load(step: number): Promise<CheckpointFiles>;
}

/** The name under which the checkpoint after `step` steps is stored. */
export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}
