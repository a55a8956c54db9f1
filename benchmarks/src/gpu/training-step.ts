/** The emoji model's training step on the webgpu device. */

import { currentDevice } from '@dmpo/core';
import { open } from '../contenders/dmpo.js';
import { summarize } from '../statistics.js';
import { fullWorkloads, makeInputs, type TrainingStepWorkload } from '../workloads.js';

const STEPS = 10;

export interface TrainingStepTime {
  readonly title: string;
  readonly milliseconds: number;
  readonly dispatches: number;
  /** Of this process, to encode and submit one dispatch. */
  readonly hostMicrosecondsPerDispatch: number;
}

/** The median of ten steps, the first ones left out. */
export async function timeTrainingStep(batch: number): Promise<TrainingStepTime> {
  const full = fullWorkloads.find((one): one is TrainingStepWorkload => one.kind === 'trainingStep');
  if (full === undefined) throw new Error('The suite has no training step.');
  const workload = { ...full, batch, title: `emoji UNet training step, batch ${batch}` };
  const contender = await open({ threads: 1, variant: 'webgpu' });
  const step = await contender.prepare(workload, await makeInputs(workload));
  for (let warmUp = 0; warmUp < 3; warmUp++) await step.run();
  const before = currentDevice().statistics?.() ?? {};
  const milliseconds: number[] = [];
  while (milliseconds.length < STEPS) {
    const start = performance.now();
    await step.run();
    milliseconds.push(performance.now() - start);
  }
  const { dispatches = 0, hostMicrosecondsPerDispatch = Number.NaN } = currentDevice().statistics?.() ?? {};
  step.dispose?.();
  await currentDevice().close();
  return {
    title: workload.title,
    milliseconds: summarize(milliseconds).median,
    dispatches: (dispatches - (before.dispatches ?? 0)) / STEPS,
    hostMicrosecondsPerDispatch,
  };
}
