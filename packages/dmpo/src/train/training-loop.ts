/** The loop that both trainers run in: progress, checkpoints, interruption, and the guard against numbers that are none. */

import { DmpoError } from '@dmpo/core';
import { type CheckpointFiles, type CheckpointStorage, checkpointName } from './checkpoint-storage.js';
import type { StepMetrics, StepReport } from './trainer.js';

/** What the loop needs of a trainer. */
export interface Trainable {
  readonly config: { readonly steps: number; readonly checkpointEvery: number };
  /** Optimiser steps taken. */
  readonly step: number;
  readonly imagesPerStep: number;
  runStep(): Promise<StepReport>;
  checkpoint(): Promise<CheckpointFiles>;
}

export interface TrainingOptions {
  /** Where checkpoints go: every `checkpointEvery` steps, after the last step, and when interrupted. None by default. */
  readonly storage?: CheckpointStorage | undefined;
  /** Aborting it ends training after the step that is being taken. */
  readonly signal?: AbortSignal | undefined;
  /** Called, and waited for, after every step. */
  readonly onStep?: ((progress: TrainingProgress) => void | Promise<void>) | undefined;
}

export interface TrainingProgress {
  /** Steps taken, the ones before a checkpoint was resumed included. */
  readonly step: number;
  readonly steps: number;
  readonly metrics: StepMetrics;
  /** Over the last steps. */
  readonly imagesPerSecond: number;
  /** Until the last step, at the speed of the last steps. */
  readonly secondsLeft: number;
  /** The name of the checkpoint that was stored after this step. */
  readonly checkpoint: string | undefined;
}

export interface TrainingOutcome {
  readonly step: number;
  /** Whether the signal ended training before the last step. */
  readonly interrupted: boolean;
  /** The last checkpoint that was stored. */
  readonly checkpoint: string | undefined;
}

/**
 * Steps until `config.steps` are taken or the signal aborts.
 * @throws `NON_FINITE` when the loss or the gradient is no longer a number; nothing is stored then
 */
export async function runTraining(
  trainer: Trainable,
  { storage, signal, onStep }: TrainingOptions,
): Promise<TrainingOutcome> {
  const { steps, checkpointEvery } = trainer.config;
  const stored = (await storage?.steps()) ?? [];
  let checkpoint = stored
    .filter((step) => step <= trainer.step)
    .map(checkpointName)
    .at(-1);
  let secondsPerStep: number | undefined;

  while (trainer.step < steps && !signal?.aborted) {
    const start = performance.now();
    const report = await trainer.runStep();
    checkFinite(report, trainer.step, checkpoint);
    const seconds = (performance.now() - start) / 1000;
    // The first step plans and compiles: it says little about the others, and weighs little.
    secondsPerStep =
      secondsPerStep === undefined || trainer.step < 3 ? seconds : 0.9 * secondsPerStep + 0.1 * seconds;
    // Gives signals, timers and the browser's event loop their turn: a step may compute without ever waiting.
    await new Promise((resolve) => setTimeout(resolve));
    const due = trainer.step % checkpointEvery === 0 || trainer.step === steps;
    const saved = due ? await storage?.save(trainer.step, await trainer.checkpoint()) : undefined;
    checkpoint = saved ?? checkpoint;
    await onStep?.({
      step: trainer.step,
      steps,
      metrics: report.metrics,
      imagesPerSecond: trainer.imagesPerStep / secondsPerStep,
      secondsLeft: secondsPerStep * (steps - trainer.step),
      checkpoint: saved,
    });
  }
  const interrupted = trainer.step < steps;
  if (interrupted && trainer.step > 0 && checkpoint !== checkpointName(trainer.step)) {
    checkpoint = (await storage?.save(trainer.step, await trainer.checkpoint())) ?? checkpoint;
  }
  return { step: trainer.step, interrupted, checkpoint };
}

function checkFinite({ metrics, items }: StepReport, step: number, checkpoint: string | undefined): void {
  const bad = Object.entries(metrics).filter(([, value]) => !Number.isFinite(value));
  if (bad.length === 0) return;
  const culprits = items.filter(({ loss }) => !Number.isFinite(loss));
  const named = (culprits.length > 0 ? culprits : items).map(({ name }) => name);
  const shown =
    named.length > 8 ? `${named.slice(0, 8).join(', ')} and ${named.length - 8} more` : named.join(', ');
  throw new DmpoError(
    'NON_FINITE',
    `Step ${step}: ${bad.map(([name, value]) => `${name} is ${value}`).join(', ')}. Batch: ${shown}. ${
      checkpoint === undefined ? 'No checkpoint was stored yet.' : `Last good checkpoint: ${checkpoint}.`
    }`,
    'Resume from the last good checkpoint with a lower learning rate, or look at these images.',
  );
}
