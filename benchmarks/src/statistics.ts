/** Median and spread of repeated timings. */

export interface Summary {
  readonly repetitions: number;
  /** Milliseconds. Half of the repetitions lie between the quartiles. */
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly minimum: number;
}

export function summarize(milliseconds: readonly number[]): Summary {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  return {
    repetitions: sorted.length,
    median: quantile(sorted, 0.5),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
    minimum: quantile(sorted, 0),
  };
}

/** Linear between the two nearest of ascending numbers. */
function quantile(sorted: readonly number[], fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = Number(sorted[Math.floor(position)]);
  const above = Number(sorted[Math.ceil(position)]);
  return below + (above - below) * (position - Math.floor(position));
}
