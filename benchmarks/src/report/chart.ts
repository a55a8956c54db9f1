/** The results as an SVG chart: for each workload, a bar of speed for each contender, readable on light and dark pages. */

import { formatNumber, type Results, speed, speedUnit } from '../results.js';
import type { Workload } from '../workloads.js';

const COLUMNS = 2;
const MARGIN = 20;
const HEADER = 62;
const PANEL = { width: 470, title: 30, row: 22, bar: 13, names: 142, values: 132, gap: 18 };

const STYLE = `
  .page { fill: #ffffff; } text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
  .heading { font-size: 16px; font-weight: 600; } .title { font-weight: 600; } .quiet { fill: #59636e; }
  .own { fill: #0b6bcb; } .other { fill: #aeb8c4; } .axis { stroke: #c5ccd4; } .spread { stroke: #1f2328; opacity: 0.55; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } text { fill: #e6edf3; } .quiet { fill: #9198a1; }
    .own { fill: #4c9aff; } .other { fill: #58616c; } .axis { stroke: #3d444d; } .spread { stroke: #e6edf3; }
  }`;

export function chart(results: Results): string {
  const panels = results.workloads
    .map((workload) => ({ workload, bars: barsOf(workload, results) }))
    .filter(({ bars }) => bars.length > 0);
  const heights = panels.map(({ bars }) => PANEL.title + bars.length * PANEL.row + PANEL.gap);
  const bottoms: number[] = Array(COLUMNS).fill(HEADER);
  const placed = panels.map(({ workload, bars }, i) => {
    const column = i % COLUMNS;
    // Panels of one row begin at the same height.
    if (column === 0) bottoms.fill(Math.max(...bottoms));
    const top = Number(bottoms[column]);
    bottoms[column] = top + Number(heights[i]);
    return panel(workload, bars, MARGIN + column * (PANEL.width + MARGIN), top);
  });
  const width = 2 * MARGIN + COLUMNS * PANEL.width + (COLUMNS - 1) * MARGIN;
  const height = Math.max(...bottoms) + 4;
  const { processor, cores, node } = results.machine;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>Speed of dmpo beside other libraries</title>
<style>${STYLE}
</style>
<rect class="page" width="${width}" height="${height}" rx="8"/>
<text class="heading" x="${MARGIN}" y="28">Speed, longer is better</text>
<text class="quiet" x="${MARGIN}" y="46">${escapeText(`${processor}, ${cores} cores, Node ${node}. Bar: median, line: quartiles, label: speed and time of one repetition.`)}</text>
${placed.join('\n')}
</svg>
`;
}

interface Bar {
  readonly name: string;
  readonly isOwn: boolean;
  readonly milliseconds: number;
  readonly median: number;
  /** Speeds at the quartiles. */
  readonly low: number;
  readonly high: number;
}

function barsOf(workload: Workload, { contenders, measurements }: Results): Bar[] {
  return contenders.flatMap(({ id, title }) => {
    const found = measurements.find((m) => m.workload === workload.id && m.contender === id);
    if (!found) return [];
    return {
      name: title,
      isOwn: title.startsWith('dmpo'),
      milliseconds: found.median,
      median: speed(workload, found),
      low: speed(workload, { median: found.upperQuartile }),
      high: speed(workload, { median: found.lowerQuartile }),
    };
  });
}

function panel(workload: Workload, bars: readonly Bar[], left: number, top: number): string {
  const scale =
    (PANEL.width - PANEL.names - PANEL.values) /
    Math.max(...bars.flatMap(({ median, high }) => [median, high]));
  const unit = speedUnit(workload);
  const rows = bars.map(({ name, isOwn, milliseconds, median, low, high }, i) => {
    const middle = PANEL.title + i * PANEL.row + PANEL.row / 2;
    const x = (value: number) => (PANEL.names + value * scale).toFixed(1);
    const label = Math.max(median, high);
    return `<text x="${PANEL.names - 8}" y="${middle + 4}" text-anchor="end">${escapeText(name)}</text>
<rect class="${isOwn ? 'own' : 'other'}" x="${PANEL.names}" y="${middle - PANEL.bar / 2}" width="${Math.max(median * scale, 1).toFixed(1)}" height="${PANEL.bar}" rx="2"/>
<line class="spread" x1="${x(low)}" x2="${x(high)}" y1="${middle}" y2="${middle}"/>
<text x="${(Number(x(label)) + 7).toFixed(1)}" y="${middle + 4}">${formatNumber(median)} <tspan class="quiet">${unit}, ${formatNumber(milliseconds)} ms</tspan></text>`;
  });
  const bottom = PANEL.title + bars.length * PANEL.row;
  return `<g transform="translate(${left} ${top})">
<text class="title" x="0" y="18">${escapeText(workload.title)}</text>
<line class="axis" x1="${PANEL.names}" x2="${PANEL.names}" y1="${PANEL.title}" y2="${bottom}"/>
${rows.join('\n')}
</g>`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
