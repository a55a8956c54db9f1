/** Runs a trainer in the terminal: progress, checkpoints, Ctrl-C. */

import { currentDevice, type DeviceName } from '@dmpo/core';
import type { CheckpointStorage } from '../train/checkpoint-storage.js';
import type { Recovery } from '../train/recovery.js';
import type { Trainer } from '../train/trainer.js';
import type { TrainingOutcome, TrainingProgress } from '../train/training-loop.js';
import { openDeviceInTerminal } from './device.js';
import { Interrupted } from './interruption.js';
import { clock } from './progress.js';
import type { Terminal } from './terminal.js';

export interface TrainInTerminalOptions {
  readonly terminal: Terminal;
  readonly storage: CheckpointStorage;
  readonly signal: AbortSignal;
  /** How the run can be continued, for the message after Ctrl-C. */
  readonly resumeCommand: string;
  readonly onStep?: (progress: TrainingProgress) => Promise<void>;
}

/**
 * Trains to the last step.
 * @throws `Interrupted` after Ctrl-C, once a checkpoint of the steps taken is stored
 */
export async function trainInTerminal(trainer: Trainer, options: TrainInTerminalOptions): Promise<void> {
  const { terminal, storage, signal, resumeCommand, onStep } = options;
  const deviceName = currentDevice().name as DeviceName;
  const progress = terminal.progress('training');
  try {
    const outcome = await trainer.train({
      storage,
      signal,
      recovery: {
        openDevice: () => openDeviceInTerminal(deviceName, terminal),
        onRecovery: (recovery) => terminal.note(describeRecovery(recovery)),
      },
      onStep: async (event) => {
        progress.update(event.step / event.steps, describeStep(event));
        await onStep?.(event);
      },
    });
    if (outcome.interrupted) throw new Interrupted(stopMessage(outcome, resumeCommand));
  } finally {
    progress.end();
  }
}

function stopMessage({ step, checkpoint }: TrainingOutcome, resumeCommand: string): string {
  if (checkpoint === undefined) return 'Stopped before the first step; nothing was stored.';
  return `Stopped after step ${step}; ${checkpoint} is stored. Continue with: ${resumeCommand}`;
}

function describeRecovery({ error, failedStep, step, device, attemptsLeft }: Recovery): string {
  return [
    `\nStep ${failedStep + 1}: ${error.problem}`,
    `Opened the device again (${device.name}, ${device.description}) and going on after step ${step}; ${attemptsLeft} more failures will be survived.`,
  ].join('\n');
}

function describeStep({ step, steps, metrics, imagesPerSecond, secondsLeft }: TrainingProgress): string {
  const parts = [`step ${step}/${steps}`, `loss ${metrics.loss?.toFixed(4)}`];
  if (metrics.implicitAccuracy !== undefined)
    parts.push(`implicit accuracy ${metrics.implicitAccuracy.toFixed(2)}`);
  parts.push(`${imagesPerSecond.toFixed(1)} images/s`, `${clock(secondsLeft)} left`);
  return parts.join('  ');
}
