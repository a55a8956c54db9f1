/** The command: measures, prints, and writes results-cpu.json, results-gpu.json, charts and tables in README.md. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevice } from '@dmpo/core';
import { provideAdapter } from '../../scripts/software-gpu.ts';
import { ContenderProcess } from './contender-process.js';
import { busyMachineWarning, describeMachine } from './machine.js';
import { type Measurement, measure, type Skip } from './measure.js';
import { chart } from './report/chart.js';
import { insertResults, markdown } from './report/markdown.js';
import {
  formatNumber,
  type MissingContender,
  type PresentContender,
  type Results,
  resultsOn,
  speed,
  speedUnit,
  toJson,
} from './results.js';
import { roster } from './roster.js';
import { targetResults } from './targets.js';
import {
  fullWorkloads,
  type Processor,
  quickWorkloads,
  type Workload,
  webgpuWorkloads,
} from './workloads.js';

const USAGE = `Measures kernels and a training step beside other libraries, taking turns, in one run.

  --processor name    only what runs on the cpu, or on the gpu
  --quick             tiny sizes, one repetition, the reference device too: checks that all compute the same
  --workloads a,b     only these
  --contenders a,b    only these
  --rounds n          turns of each contender (default 9)
  --threads n         threads for each library (default: all cores)
  --output folder     where to write results-cpu.json, .svg and .md, and results-gpu; the default is this benchmark's
                      own folder and README.md, and nothing is written if anything was left out
`;

const { values: options } = parseArgs({
  options: {
    processor: { type: 'string' },
    quick: { type: 'boolean', default: false },
    workloads: { type: 'string' },
    contenders: { type: 'string' },
    rounds: { type: 'string' },
    threads: { type: 'string' },
    output: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(USAGE);
else process.exitCode = await main();

async function main(): Promise<number> {
  const adapter = provideAdapter();
  const machine = describeMachine(adapter);
  const warning = busyMachineWarning(machine);
  if (warning) console.error(`Warning: ${warning}`);
  const threads = positive('threads', options.threads) ?? machine.cores;
  const rounds = positive('rounds', options.rounds) ?? (options.quick ? 1 : 9);
  const full = [...fullWorkloads, ...('adapter' in adapter ? webgpuWorkloads(adapter) : [])];
  const processors = processorsOf(options.processor);
  const all = (options.quick ? quickWorkloads : full).filter(({ processor }) =>
    processors.includes(processor),
  );
  const workloads = chosen('workloads', all, options.workloads);
  const everyone = roster({ threads, adapter, withReference: options.quick }).filter((contender) =>
    contender.processors.some((processor) => processors.includes(processor)),
  );
  const entries = chosen('contenders', everyone, options.contenders);

  const present: PresentContender[] = [];
  const contenders: ContenderProcess[] = [];
  const absent: MissingContender[] = [];
  let hasFailed = false;
  for (const entry of entries)
    if ('absent' in entry) {
      absent.push({ id: entry.id, title: entry.title, processors: entry.processors, reason: entry.absent });
      console.log(`${entry.title}: ${entry.absent}`);
    } else
      try {
        const { contender, description } = await ContenderProcess.start(entry);
        contenders.push(contender);
        present.push({ id: entry.id, title: entry.title, processors: entry.processors, ...description });
        console.log(
          `${entry.title}: ${description.library}; ${description.details}; threads: ${description.threads}`,
        );
      } catch (error) {
        const reason = `failed to start: ${error instanceof Error ? error.message : error}`;
        absent.push({ id: entry.id, title: entry.title, processors: entry.processors, reason });
        hasFailed = true;
        console.log(`${entry.title}: ${reason}`);
      }

  // For the initial weights of models.
  const device = await openDevice('reference');
  const measurements: Measurement[] = [];
  const skips: Skip[] = [];
  for (const workload of workloads) {
    console.log(`\n${workload.processor === 'gpu' ? 'WebGPU: ' : ''}${workload.title}`);
    const entrants = contenders.filter(({ processors }) => processors.includes(workload.processor));
    const found = await measure(workload, entrants, {
      rounds,
      millisecondsPerTurn: options.quick ? 0 : 60,
    });
    measurements.push(...found.measurements);
    skips.push(...found.skips);
    printWorkload(workload, found, present);
  }
  for (const contender of contenders) contender.stop();
  await device.close();

  const date = new Date().toISOString();
  const targets = options.quick ? [] : targetResults(measurements);
  const results = { date, machine, workloads, contenders: present, absent, measurements, skips, targets };
  printTargets(results);
  const isPartial = options.quick || options.workloads !== undefined || options.contenders !== undefined;
  for (const processor of processors) write(processor, resultsOn(processor, results), isPartial);
  return hasFailed || skips.some(({ isFailure }) => isFailure) ? 1 : 0;
}

function printWorkload(
  workload: Workload,
  { measurements, skips }: { measurements: readonly Measurement[]; skips: readonly Skip[] },
  contenders: readonly PresentContender[],
): void {
  for (const { id, title } of contenders) {
    const found = measurements.find(({ contender }) => contender === id);
    const skip = skips.find(({ contender }) => contender === id);
    const name = `  ${title.padEnd(26)}`;
    if (found) {
      const rate = `${formatNumber(speed(workload, found))} ${speedUnit(workload)}`;
      const quartiles = `${formatNumber(found.lowerQuartile)} to ${formatNumber(found.upperQuartile)}`;
      const difference =
        found.disagreement === 0 ? '' : `, difference ${found.disagreement.toExponential(0)}`;
      console.log(
        `${name}${formatNumber(found.median).padStart(8)} ms  (${quartiles}, n = ${found.repetitions})  ${rate}${difference}`,
      );
    }
    if (skip) console.log(`${name}${skip.isFailure ? 'FAILED' : 'skipped'}: ${skip.reason}`);
  }
}

function printTargets({ targets }: Results): void {
  if (targets.length === 0) return;
  console.log('\nOur devices beside others (ratio of medians, above 1 where ours is faster)');
  for (const { workload, library, atLeast, ratio } of targets)
    console.log(
      `  ${workload.padEnd(18)}${formatNumber(ratio).padStart(7)} x ${library}  (target ${atLeast}${ratio >= atLeast ? ', met' : ', missed'})`,
    );
}

/** `results-cpu.json` and so on, and the table: a README holds the last full run on each processor. */
function write(processor: Processor, results: Results, isPartial: boolean): void {
  const name = `results-${processor}`;
  const json = toJson(results);
  if (options.output !== undefined) {
    mkdirSync(options.output, { recursive: true });
    writeFileSync(join(options.output, `${name}.json`), json);
    writeFileSync(join(options.output, `${name}.svg`), chart(results));
    writeFileSync(join(options.output, `${name}.md`), `${markdown(results)}\n`);
  } else if (isPartial) console.log('\nNothing was written: a part of the benchmark was left out.');
  else if (results.measurements.length > 0) {
    const file = (path: string) => new URL(`../${path}`, import.meta.url);
    const readme = readFileSync(file('README.md'), 'utf8');
    writeFileSync(file(`${name}.json`), json);
    writeFileSync(file(`${name}.svg`), chart(results));
    writeFileSync(file('README.md'), insertResults(readme, processor, results));
    console.log(`\nWrote ${name}.json, ${name}.svg and the table in README.md, all in benchmarks/.`);
  }
}

function processorsOf(option: string | undefined): readonly Processor[] {
  if (option === undefined) return ['cpu', 'gpu'];
  if (option === 'cpu' || option === 'gpu') return [option];
  throw new Error(`--processor takes cpu or gpu, not ${option}.`);
}

/** The entries that a comma-separated list of ids names; all without a list. */
function chosen<Entry extends { readonly id: string }>(
  option: string,
  entries: readonly Entry[],
  list: string | undefined,
): readonly Entry[] {
  if (list === undefined) return entries;
  const ids = list.split(',');
  const unknown = ids.filter((id) => !entries.some((entry) => entry.id === id));
  if (unknown.length > 0)
    throw new Error(
      `--${option}: there is no ${unknown.join(', ')}. There are ${entries.map(({ id }) => id).join(', ')}.`,
    );
  return entries.filter(({ id }) => ids.includes(id));
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${option} takes a positive integer, not ${text}.`);
  return value;
}
