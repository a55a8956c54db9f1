/** A profile summed up by kernel, and as a table for people. */

import { type KernelTime, kernelBytes, kernelFlops, kernelTitle } from '@dmpo/kernels';

export interface KernelRow {
  /** The kernel's kind and sizes, and the programs that the device ran for it. */
  readonly title: string;
  readonly runs: number;
  /** Of all runs together. */
  readonly microseconds: number;
  readonly flopsPerSecond: number;
  /** Bytes that must be read and written at least; a kernel that reads them again has moved more. */
  readonly bytesPerSecond: number;
}

/** The most expensive first. Kernels of one kind and size are one row if the device ran the same programs for them. */
export function kernelRows(commands: readonly KernelTime[]): KernelRow[] {
  const sums = new Map<string, { runs: number; microseconds: number; flops: number; bytes: number }>();
  for (const { kernel, parts } of commands) {
    const labels = parts.map(({ label }) => label).filter((label) => label !== kernel.kind);
    const title = [kernelTitle(kernel), ...(labels.length > 0 ? [`(${labels.join(', ')})`] : [])].join(' ');
    const sum = sums.get(title) ?? { runs: 0, microseconds: 0, flops: 0, bytes: 0 };
    sums.set(title, sum);
    sum.runs++;
    for (const { begin, end } of parts) sum.microseconds += end - begin;
    sum.flops += kernelFlops(kernel);
    sum.bytes += kernelBytes(kernel);
  }
  return [...sums]
    .map(([title, { runs, microseconds, flops, bytes }]) => ({
      title,
      runs,
      microseconds,
      flopsPerSecond: perSecond(flops, microseconds),
      bytesPerSecond: perSecond(bytes, microseconds),
    }))
    .sort((left, right) => right.microseconds - left.microseconds);
}

export function profileTable(rows: readonly KernelRow[], wallMicroseconds: number): string {
  const total = rows.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const runs = rows.reduce((sum, row) => sum + row.runs, 0);
  const lines = rows.map((row) => [
    row.title,
    `${row.runs}`,
    milliseconds(row.microseconds),
    `${((100 * row.microseconds) / Math.max(total, Number.MIN_VALUE)).toFixed(1)} %`,
    (row.flopsPerSecond / 1e9).toFixed(1),
    (row.bytesPerSecond / 1e9).toFixed(1),
  ]);
  const header = ['kernel', 'runs', 'ms', 'share', 'GFLOP/s', 'GB/s'];
  const footer = ['all kernels', `${runs}`, milliseconds(total), '', '', ''];
  const cells = [header, ...lines, footer];
  const widths = header.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const text = cells.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [...text, `from begin to end ${milliseconds(wallMicroseconds)} ms`].join('\n');
}

/** A clock too coarse to see a kernel gives no speed. */
function perSecond(amount: number, microseconds: number): number {
  return microseconds > 0 ? (1e6 * amount) / microseconds : 0;
}

const milliseconds = (microseconds: number) => (microseconds / 1000).toFixed(3);
