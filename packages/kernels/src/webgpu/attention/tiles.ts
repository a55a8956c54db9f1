/** The sizes of FlashAttention's shaders by adapter class, and how many slices a pass over many columns is cut into. */

import type { AdapterClass, Target } from '../target.js';

/** A schedule without workgroup memory: what one invocation does. */
export interface DirectTile {
  /** Rows that one invocation holds. */
  readonly rows: number;
  /** Columns between two changes of the sums. */
  readonly columns: number;
  /** Whether loops over the head dim are written out. */
  readonly unrolled: boolean;
  readonly invocations: number;
}

/**
 * Measured on SwiftShader, where a vec4 load costs five vec4 multiply-adds: 8 rows are 1.3 times as fast as 4, written out is 1.6 times
 * as fast as looped. Both cost compile time, 0.3 s for 8 rows of 16 floats and 1 s for 64, so rows of more floats get less.
 */
const DIRECT = [
  { mostVectors: 4, rows: 8, columns: 2, unrolled: true },
  { mostVectors: 16, rows: 4, columns: 2, unrolled: true },
  { mostVectors: 32, rows: 4, columns: 8, unrolled: false },
  { mostVectors: 64, rows: 2, columns: 8, unrolled: false },
] as const;

const DIRECT_INVOCATIONS = 8;

/** Subgroups of SwiftShader are four wide: fewer rows each, rather than idle lanes. */
const SUBGROUP = 4;

export function directTile(vectors: number, rows: number, columns: number): DirectTile {
  const row = DIRECT.find(({ mostVectors }) => vectors <= mostVectors) ?? DIRECT[DIRECT.length - 1];
  return {
    rows: Math.min(row.rows, powerOfTwoBelow(rows / SUBGROUP)),
    columns: Math.min(row.columns, columns),
    unrolled: row.unrolled,
    invocations: DIRECT_INVOCATIONS,
  };
}

/** A schedule with tiles of columns in workgroup memory. */
export interface StagedTile {
  /** Rows of a workgroup. */
  readonly rows: number;
  /** Invocations that share a row, each with a part of the head dim. */
  readonly threadsPerRow: number;
  /** Vectors of the head dim that one invocation holds of each matrix; the last may lie past the end. */
  readonly vectorsPerThread: number;
  /** Columns staged at once. */
  readonly columns: number;
  /** Columns between two changes of the sums. */
  readonly step: number;
}

/** What bounds the tiles of GPUs. */
interface GpuTiles {
  readonly rows: number;
  /** vec4 registers of an invocation for all its rows and sums. */
  readonly registers: number;
  readonly mostColumns: number;
  readonly step: number;
}

/**
 * Not measured here. 64 rows and 16 columns are those of ONNX Runtime's and torchlette's kernels for head dims near 64. The registers leave an
 * invocation 64 floats of head dim in the forward pass (2 matrices), and 40 and 32 in the gradient (3 and 4; meganeura has 32). Apple's and
 * Intel's GPUs, with fewer registers for each invocation, get less.
 */
const STAGED = {
  discrete: { rows: 64, registers: 32, mostColumns: 16, step: 4 },
  apple: { rows: 64, registers: 24, mostColumns: 16, step: 4 },
  integrated: { rows: 64, registers: 16, mostColumns: 16, step: 2 },
} as const satisfies Record<Exclude<AdapterClass, 'software'>, GpuTiles>;

const BYTES_PER_VECTOR = 16;

/** @param matrices rows and sums that an invocation keeps. @param scores scores of a row and column. */
export function stagedTile(
  adapterClass: Exclude<AdapterClass, 'software'>,
  vectors: number,
  matrices: number,
  scores: number,
  target: Target,
): StagedTile {
  const { rows, registers, mostColumns, step } = STAGED[adapterClass];
  let threadsPerRow = 1;
  while (Math.ceil(vectors / threadsPerRow) * matrices > registers && threadsPerRow < 16) threadsPerRow *= 2;
  const vectorsPerThread = Math.ceil(vectors / threadsPerRow);
  const fitting = Math.min(rows, target.invocations / threadsPerRow);
  const bytesPerColumn =
    2 * threadsPerRow * vectorsPerThread * BYTES_PER_VECTOR +
    (threadsPerRow > 1 ? scores * 4 * fitting * threadsPerRow : 0) +
    8;
  const columns = Math.min(mostColumns, powerOfTwoBelow(target.workgroupBytes / bytesPerColumn));
  return { rows: fitting, threadsPerRow, vectorsPerThread, columns, step: Math.min(step, columns) };
}

/** Workgroups that keep an adapter busy: several for each of its cores. */
const BUSY = { discrete: 256, apple: 128, integrated: 64, software: 8 } as const satisfies Record<
  AdapterClass,
  number
>;

/** Columns below which a slice is not worth its partial sums, and the most slices. */
const LEAST_SLICE = 256;
const MOST_SLICES = 16;

/** Slices of the columns for a pass of so many workgroups: several where there are few rows and many columns. */
export function sliceCount(adapterClass: AdapterClass, workgroups: number, columns: number): number {
  const wanted = Math.ceil(BUSY[adapterClass] / workgroups);
  return Math.max(1, Math.min(wanted, Math.floor(columns / LEAST_SLICE), MOST_SLICES));
}

function powerOfTwoBelow(value: number): number {
  let power = 1;
  while (power * 2 <= value) power *= 2;
  return power;
}
