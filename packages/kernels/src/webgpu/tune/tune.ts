/**
 * Measures the tiles that suit each class of shapes, and chooses the fastest. A tile whose result differs from that of the tile that
 * would be taken without measuring is refused, however fast.
 */

import type { Device } from '../../device.js';
import { DmpoError } from '../../errors.js';
import { type Kernel, kernelKey, kernelOutputs } from '../../kernel.js';
import { kernelTitle } from '../../kernel-title.js';
import { sampleCommand } from '../../sample-command.js';
import { kernelProgram } from '../kernels.js';
import type { Target } from '../target.js';
import type { TunedTiles } from './tuning-file.js';

const WARM_UPS = 2;
const ROUNDS = 5;
/** A turn repeats a kernel for about so long: clocks of GPUs tick coarsely. */
const MICROSECONDS_PER_TURN = 2000;
const MOST_REPETITIONS = 64;
/** Rounding differs from tile to tile; mistakes are larger. Relative to the largest number of the result. */
const LARGEST_DIFFERENCE = 1e-4;
/** A tile that is faster by less is as likely lucky. */
const SMALLEST_GAIN = 1.03;

export interface MeasuredTile {
  readonly name: string;
  /** Median; absent for a tile that was refused. */
  readonly microseconds?: number;
  /** Why a tile was refused. */
  readonly refusal?: string;
}

export interface TunedShape {
  /** The class that the choice is for. */
  readonly shapeClass: string;
  /** The kernel that stood for the class. */
  readonly title: string;
  /** At most eight, the one that is taken without measuring first. */
  readonly tiles: readonly MeasuredTile[];
  readonly chosen: string;
  /** How much faster the chosen tile is than the first. */
  readonly speedup: number;
}

export interface TuningReport {
  readonly shapes: readonly TunedShape[];
  /** Where the choices were stored, from where every device opened later reads them. */
  readonly storedIn?: string;
}

/** The tiles chosen in a report. */
export const tunedTiles = (shapes: readonly TunedShape[]): TunedTiles =>
  new Map(shapes.map(({ shapeClass, chosen }) => [shapeClass, chosen]));

/** A device that can say how long its kernels take. */
type TimedDevice = Device & Required<Pick<Device, 'profile'>>;

/** `open` gives a device that takes the tiles it is told to; they are closed here. */
export async function tuneKernels(
  kernels: readonly Kernel[],
  target: Target,
  open: (tiles: TunedTiles) => TimedDevice,
  onProgress?: (done: number, total: number) => void,
): Promise<TunedShape[]> {
  const questions = tileQuestions(kernels, target);
  const shapes: TunedShape[] = [];
  onProgress?.(0, questions.length);
  for (const question of questions) {
    shapes.push(await answer(question, open));
    onProgress?.(shapes.length, questions.length);
  }
  return shapes;
}

interface Question {
  readonly shapeClass: string;
  readonly kernel: Kernel;
  readonly names: readonly string[];
}

/** One question for each class of shapes that has more than one tile. */
function tileQuestions(kernels: readonly Kernel[], target: Target): Question[] {
  const questions = new Map<string, Question>();
  for (const kernel of new Map(kernels.map((one) => [kernelKey(one), one])).values())
    for (const { tile } of kernelProgram(kernel, target, []).dispatches) {
      if (tile === undefined || questions.has(tile.shapeClass)) continue;
      const names = tile.candidates();
      if (names.length > 1) questions.set(tile.shapeClass, { shapeClass: tile.shapeClass, kernel, names });
    }
  return [...questions.values()];
}

/** A tile under test: a device of its own that takes it, with the kernel ready to run. */
interface Entrant {
  readonly name: string;
  readonly device: TimedDevice;
  readonly sample: ReturnType<typeof sampleCommand>;
  readonly microseconds: number[];
}

async function answer(
  { shapeClass, kernel, names }: Question,
  open: (tiles: TunedTiles) => TimedDevice,
): Promise<TunedShape> {
  const entrants: Entrant[] = [];
  const refusals = new Map<string, string>();
  let expected: readonly ArrayLike<number>[] | undefined;
  try {
    for (const name of names) {
      const device = open(new Map([[shapeClass, name]]));
      try {
        await device.prepare([kernel]);
        const entrant: Entrant = { name, device, sample: sampleCommand(device, kernel), microseconds: [] };
        entrants.push(entrant);
        const outputs = await resultsOf(entrant);
        expected ??= outputs;
        if (!areAlike(outputs, expected)) refuse(entrants, refusals, 'its result differs');
      } catch (error) {
        // A shader that the driver refuses is no tile to take. Any other failure ends the tuning.
        if (!(error instanceof DmpoError) || error.code !== 'INVALID_SHADER') throw error;
        refusals.set(name, error.problem);
        await device.close();
      }
    }
    await measure(entrants);
  } finally {
    for (const { device, sample } of entrants) {
      sample.free();
      await device.close();
    }
  }
  const tiles = names.map((name): MeasuredTile => {
    const entrant = entrants.find((one) => one.name === name);
    const refusal = refusals.get(name);
    if (refusal !== undefined) return { name, refusal };
    return { name, microseconds: median(entrant?.microseconds ?? []) };
  });
  const time = ({ microseconds = Number.POSITIVE_INFINITY }: MeasuredTile) => microseconds;
  const [first] = tiles;
  const fastest = tiles.reduce((best, one) => (time(one) < time(best) ? one : best));
  const gain = time(first) / time(fastest);
  const isBetter = gain >= SMALLEST_GAIN;
  return {
    shapeClass,
    title: kernelTitle(kernel),
    tiles,
    chosen: isBetter ? fastest.name : first.name,
    speedup: isBetter ? gain : 1,
  };
}

/** Takes the last entrant out. */
function refuse(entrants: Entrant[], refusals: Map<string, string>, reason: string): void {
  const entrant = entrants.pop();
  if (entrant === undefined) return;
  refusals.set(entrant.name, reason);
  entrant.sample.free();
  void entrant.device.close();
}

/** In turns, so that a clock that rises or falls does so for all. */
async function measure(entrants: readonly Entrant[]): Promise<void> {
  const repetitions = new Map<Entrant, number>();
  for (const entrant of entrants) {
    await turn(entrant, WARM_UPS);
    const once = await turn(entrant, 1);
    const wanted = Math.ceil(MICROSECONDS_PER_TURN / Math.max(once, 1));
    repetitions.set(entrant, Math.min(Math.max(wanted, 1), MOST_REPETITIONS));
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const entrant of entrants)
      entrant.microseconds.push(await turn(entrant, repetitions.get(entrant) ?? 1));
}

/** Microseconds of one run, over several. */
async function turn({ device, sample }: Entrant, repetitions: number): Promise<number> {
  const commands = new Array(repetitions).fill(sample.command);
  const times = await device.profile(async () => {
    device.submit(commands);
    await device.finish();
  });
  const total = times.flatMap(({ parts }) => parts).reduce((sum, { begin, end }) => sum + (end - begin), 0);
  return total / repetitions;
}

function resultsOf({ device, sample: { command } }: Entrant): Promise<ArrayLike<number>[]> {
  device.submit([command]);
  const specs = kernelOutputs(command.kernel);
  return Promise.all(
    command.outputs.map((buffer, i) => device.read(buffer, specs[i].dtype, specs[i].elements)),
  );
}

function areAlike(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): boolean {
  return expected.every((wanted, output) => {
    const numbers = Array.from(wanted);
    const largest = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return numbers.every((value, i) => Math.abs(value - actual[output][i]) <= LARGEST_DIFFERENCE * largest);
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
