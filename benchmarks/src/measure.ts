/** The measurement: contenders take turns, so that whatever else the machine does falls on all of them alike. */

import { setTimeout } from 'node:timers/promises';
import { disagreement, tolerance } from './agreement.js';
import { type Inputs, Unsupported } from './contender.js';
import type { ContenderProcess } from './contender-process.js';
import { type Summary, summarize } from './statistics.js';
import { makeInputs, outputNames, type Workload } from './workloads.js';

export interface Measurement extends Summary {
  readonly workload: string;
  readonly contender: string;
  /** Relative difference of the results to those of the first contender that has any. */
  readonly disagreement: number;
}

export interface Skip {
  readonly workload: string;
  readonly contender: string;
  readonly reason: string;
  /** False if the library has no way to compute it, true if something broke. */
  readonly isFailure: boolean;
}

export interface MeasureOptions {
  /** Turns of each contender. */
  readonly rounds: number;
  /** A turn repeats a short workload until about this much time has passed. 0: one repetition. */
  readonly millisecondsPerTurn: number;
}

/** Pause before a turn. */
const SETTLING_MILLISECONDS = 150;
/** In one turn at most. */
const MOST_REPETITIONS = 20;
/** Contenders so slow that three turns must do. */
const SLOW_MILLISECONDS = 1000;
const SLOW_ROUNDS = 3;

/** Measures one workload with every contender. */
export async function measure(
  workload: Workload,
  contenders: readonly ContenderProcess[],
  options: MeasureOptions,
): Promise<{ measurements: Measurement[]; skips: Skip[] }> {
  const inputs = await makeInputs(workload);
  const entrants: Entrant[] = [];
  const skips: Skip[] = [];
  let first: { id: string; outputs: Float32Array[] } | undefined;
  for (const contender of contenders)
    try {
      const outputs = await firstOutputs(contender, workload, inputs);
      first ??= { id: contender.id, outputs };
      const difference = disagreement(first.outputs, outputs);
      if (difference > tolerance(workload))
        throw new Error(`its results differ from those of ${first.id} by ${difference.toExponential(1)}`);
      const estimate = await warmUp(contender, options);
      entrants.push({ contender, estimate, difference, milliseconds: [] });
    } catch (error) {
      skips.push({
        workload: workload.id,
        contender: contender.id,
        reason: error instanceof Error ? error.message : String(error),
        isFailure: !(error instanceof Unsupported),
      });
    }

  for (let round = 0; round < options.rounds; round++)
    for (const entrant of entrants)
      if (entrant.estimate < SLOW_MILLISECONDS || round < SLOW_ROUNDS) await takeTurn(entrant, options);

  for (const { contender } of entrants) await contender.release();
  return {
    measurements: entrants.map(({ contender, difference, milliseconds }) => ({
      workload: workload.id,
      contender: contender.id,
      ...summarize(milliseconds),
      disagreement: difference,
    })),
    skips,
  };
}

interface Entrant {
  readonly contender: ContenderProcess;
  /** Milliseconds of one repetition, roughly. */
  readonly estimate: number;
  readonly difference: number;
  readonly milliseconds: number[];
}

async function firstOutputs(contender: ContenderProcess, workload: Workload, inputs: Inputs) {
  await contender.prepare(workload, inputs);
  const outputs = await contender.outputs();
  const names = outputNames(workload);
  if (outputs.length !== names.length)
    throw new Error(`it gave ${outputs.length} results instead of ${names.join(', ')}`);
  return outputs;
}

/** Repeats until compilers have settled: half a second, or ten repetitions. Tells how long the fastest took. */
async function warmUp(contender: ContenderProcess, { millisecondsPerTurn }: MeasureOptions): Promise<number> {
  let [fastest = 0] = await contender.run(1);
  const limit = performance.now() + (millisecondsPerTurn === 0 ? 0 : 500);
  for (let repetition = 1; repetition < 10 && performance.now() < limit; repetition++) {
    const [next = 0] = await contender.run(1);
    fastest = Math.min(fastest, next);
  }
  return fastest;
}

async function takeTurn({ contender, estimate, milliseconds }: Entrant, options: MeasureOptions) {
  const wanted = Math.floor(options.millisecondsPerTurn / Math.max(estimate, 1e-3));
  const repetitions = Math.min(Math.max(wanted, 1), MOST_REPETITIONS);
  // Threads of the one before may still spin, waiting for work, and keep a core busy (OpenBLAS: tens of milliseconds).
  if (options.millisecondsPerTurn > 0) await setTimeout(SETTLING_MILLISECONDS);
  // After the others' turns, caches are cold and threads asleep; that is not what a loop of training steps meets.
  if (repetitions > 1) await contender.run(1);
  milliseconds.push(...(await contender.run(repetitions)));
}
