/** A line chart as an SVG string that takes its colours from the page around it. */

export interface Series {
  readonly name: string;
  /** One value per step, the first after step 1. */
  readonly values: readonly number[];
}

export interface LineChartOptions {
  readonly title: string;
  readonly series: readonly Series[];
  /** Values that the vertical axis must include, e.g. 0. */
  readonly include?: readonly number[];
}

const width = 480;
const height = 240;
const margin = { top: 12, right: 20, bottom: 36, left: 58 };

/**
 * Draws each series twice: faintly as it is, and firmly as a moving average, because a loss at random timesteps is noisy.
 * Colours: `currentColor` for the axes, the custom properties `--series-1`, `--series-2`, ... for the lines.
 */
export function lineChart({ title, series, include = [] }: LineChartOptions): string {
  const steps = Math.max(1, ...series.map(({ values }) => values.length));
  const shown = series
    .flatMap(({ values }) => [...values])
    .concat(include)
    .filter(Number.isFinite);
  const ticksY = niceTicks(Math.min(...shown), Math.max(...shown), 5);
  const ticksX = niceTicks(0, steps, 6).filter((tick) => tick <= steps && Number.isInteger(tick));
  const low = ticksY[0] ?? 0;
  const high = ticksY.at(-1) ?? 1;
  const x = (step: number) => margin.left + (step / steps) * (width - margin.left - margin.right);
  const y = (value: number) =>
    height - margin.bottom - ((value - low) / (high - low)) * (height - margin.top - margin.bottom);

  const grid = ticksY.map((tick) => {
    const position = y(tick).toFixed(1);
    return `<line class="${tick === 0 ? 'zero' : 'grid'}" x1="${margin.left}" x2="${width - margin.right}" y1="${position}" y2="${position}"/>
<text x="${margin.left - 8}" y="${position}" dy="0.32em" text-anchor="end">${formatTick(tick, ticksY)}</text>`;
  });
  const bottom = ticksX.map(
    (tick) =>
      `<text x="${x(tick).toFixed(1)}" y="${height - margin.bottom + 18}" text-anchor="middle">${tick}</text>`,
  );
  const lines = series.map(({ values }, index) => {
    const path = (points: readonly number[]) => pathOf(points, x, y);
    const stroke = `fill="none" stroke="var(--series-${index + 1}, currentColor)" stroke-linejoin="round"`;
    return `<path d="${path(values)}" ${stroke} stroke-width="1" opacity="0.25"/>
<path d="${path(movingAverage(values, Math.ceil(steps / 15)))}" ${stroke} stroke-width="2.5"/>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
${[...grid, ...bottom, ...lines].join('\n')}
<text x="${width - margin.right}" y="${height - 4}" text-anchor="end">step</text>
</svg>`;
}

/** The mean of up to `window` values on either side of each value. */
export function movingAverage(values: readonly number[], window: number): number[] {
  return values.map((_, index) => {
    const around = values.slice(Math.max(0, index - window), index + window + 1);
    return around.reduce((sum, value) => sum + value, 0) / around.length;
  });
}

/** Round numbers at equal distances that enclose [low, high]: about `count` of them, 1, 2 or 5 times a power of ten apart. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const span = high > low ? high - low : Math.abs(low) || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

function formatTick(tick: number, ticks: readonly number[]): string {
  const distance = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0));
  if (tick === 0) return '0';
  if (distance < 1e-3) return tick.toExponential(1).replace('e-', 'e−').replace(/^-/, '−');
  return tick.toFixed(Math.max(0, -Math.floor(Math.log10(distance) + 1e-9))).replace(/^-/, '−');
}

function pathOf(
  values: readonly number[],
  x: (step: number) => number,
  y: (value: number) => number,
): string {
  let pen = 'M';
  let path = '';
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${x(index + 1).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = 'L';
  }
  return path;
}
