/** Training that survives its device: when a GPU fails, another device is opened and the run goes on from its last checkpoint. */

import { currentDevice, type Device, type DeviceName, DmpoError, openDevice } from '@dmpo/core';
import type { CheckpointFiles, CheckpointStorage } from './checkpoint-storage.js';
import { runTraining, type Trainable, type TrainingOptions, type TrainingOutcome } from './training-loop.js';

/** What recovery needs of a trainer. */
export interface Recoverable extends Trainable {
  /** What training reads and never changes, and checkpoints do not hold. */
  frozen(): Promise<CheckpointFiles>;
  /** Puts everything on the current device, as it was when the checkpoint was taken; nothing is read from the device before. */
  restore(checkpoint: CheckpointFiles, frozen: CheckpointFiles): Promise<void>;
}

export interface RecoveryOptions {
  /** How many failures the run survives. Default 3. */
  readonly attempts?: number | undefined;
  /** Opens the device that takes the place of the failed one, and makes it current. Default: `openDevice` with the failed one's name. */
  readonly openDevice?: (() => Promise<Device>) | undefined;
  /** Called before the run goes on. */
  readonly onRecovery?: ((recovery: Recovery) => void) | undefined;
}

export interface RecoverableTrainingOptions extends TrainingOptions {
  /** Go on with another device when this one fails. Default: fail as well. */
  readonly recovery?: RecoveryOptions | undefined;
}

export interface Recovery {
  /** Why the device failed. */
  readonly error: DmpoError;
  /** Steps that were taken by then. */
  readonly failedStep: number;
  /** Steps taken in the checkpoint from which the run goes on. */
  readonly step: number;
  readonly device: Device;
  /** Failures that the run will still survive. */
  readonly attemptsLeft: number;
}

/**
 * Trains as `runTraining` does and, when the device fails, goes on from the last stored checkpoint, or from where the run began if
 * none was stored since. On an equal device (adapter, limits, threads) the steps are bit for bit those of a run without the failure;
 * `onStep` hears of the steps after the checkpoint again.
 *
 * A lost device is always worth another try. A device that ran out of memory or refused a command is worth one only if it had taken
 * a step before: otherwise the next device would do the same.
 *
 * The host keeps a copy of what never changes, and of everything else until the first checkpoint is stored.
 * @throws what `runTraining` throws, and what the device failed with once `attempts` are used up
 */
export async function runRecoverableTraining(
  trainer: Recoverable,
  options: TrainingOptions,
  { attempts = 3, openDevice: reopen, onRecovery }: RecoveryOptions,
): Promise<TrainingOutcome> {
  const frozen = await trainer.frozen();
  const last = new LastCheckpoint(await trainer.checkpoint());
  const watched = { ...options, storage: options.storage && last.watching(options.storage) };

  for (let attempt = 1; ; attempt++) {
    const failed = currentDevice();
    const firstStep = trainer.step;
    try {
      return await runTraining(trainer, watched);
    } catch (error) {
      if (attempt > attempts || !isSurvivable(error, trainer.step > firstStep)) throw error;
      const failedStep = trainer.step;
      // What it held is lost; what it still does about that is of no interest.
      await failed.close().catch(() => {});
      const device = await (reopen?.() ?? openDevice(failed.name as DeviceName));
      await trainer.restore(await last.load(), frozen);
      onRecovery?.({ error, failedStep, step: trainer.step, device, attemptsLeft: attempts - attempt });
    }
  }
}

function isSurvivable(error: unknown, hasWorked: boolean): error is DmpoError {
  if (!(error instanceof DmpoError)) return false;
  return error.code === 'DEVICE_LOST' || (hasWorked && worthOneMoreTry.has(error.code));
}

const worthOneMoreTry = new Set(['OUT_OF_MEMORY', 'DEVICE_FAILED']);

/** Remembers the last checkpoint that was stored, and until there is one keeps the run's beginning. */
class LastCheckpoint {
  #load: () => Promise<CheckpointFiles>;

  constructor(beginning: CheckpointFiles) {
    this.#load = async () => beginning;
  }

  load(): Promise<CheckpointFiles> {
    return this.#load();
  }

  /** The same storage, watched. */
  watching(storage: CheckpointStorage): CheckpointStorage {
    return {
      steps: () => storage.steps(),
      load: (step) => storage.load(step),
      save: async (step, files) => {
        const name = await storage.save(step, files);
        this.#load = () => storage.load(step);
        return name;
      },
    };
  }
}
