/** The results as Markdown, for a README between two markers. */

import { formatNumber, type Results } from '../results.js';
import type { Processor } from '../workloads.js';

/** Puts the results of one processor where the text's markers for them are. */
export function insertResults(text: string, processor: Processor, results: Results): string {
  const begin = `<!-- results on the ${processor}: written by the benchmark -->`;
  const end = `<!-- end of results on the ${processor} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The README lacks its markers "${begin}" and "${end}".`);
  return `${text.slice(0, from)}${begin}\n\n${markdown(results)}\n\n${text.slice(to)}`;
}

/** Machine, table of medians and quartiles, targets, contenders, and what was left out. */
export function markdown(results: Results): string {
  return [
    machineLine(results),
    'Milliseconds: median (quartiles). The chart shows the same as speeds.',
    timesTable(results),
    ...(results.targets.length > 0
      ? ['Ratios of medians, above 1 where our device is faster:', targetTable(results)]
      : []),
    'Versions:',
    contenderList(results),
    ...(notMeasured(results).length > 0 ? ['Not measured:', notMeasured(results).join('\n')] : []),
  ].join('\n\n');
}

function machineLine({ machine, date, workloads }: Results): string {
  const { processor, cores, memoryGigabytes, adapter, system, node, loadBefore, environment } = machine;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const parts = [
    `${processor}, ${cores} cores, ${memoryGigabytes} GB`,
    ...(workloads.some((workload) => workload.processor === 'gpu') ? [`WebGPU adapter: ${adapter}`] : []),
    system,
    `Node ${node}`,
    ...variables,
  ];
  return `${parts.join('; ')}. ${date.slice(0, 10)}, load before: ${loadBefore}.`;
}

function timesTable({ workloads, contenders, measurements }: Results): string {
  const rows = workloads.map(({ id, title }) => {
    const own = measurements.filter((m) => m.workload === id);
    const best = Math.min(...own.map((m) => m.median));
    return [
      title,
      ...contenders.map((contender) => {
        const found = own.find((m) => m.contender === contender.id);
        if (!found) return '';
        const median = formatNumber(found.median);
        const quartiles = `${formatNumber(found.lowerQuartile)}–${formatNumber(found.upperQuartile)}`;
        return `${found.median === best ? `**${median}**` : median} (${quartiles})`;
      }),
    ];
  });
  return table(['', ...contenders.map(({ title }) => title)], rows);
}

function targetTable({ targets, workloads }: Results): string {
  return table(
    ['', 'beside', 'target', 'measured'],
    targets.map(({ workload, library, atLeast, ratio }) => [
      workloads.find(({ id }) => id === workload)?.title ?? workload,
      library,
      `at least ${atLeast}`,
      `${formatNumber(ratio)}${ratio >= atLeast ? '' : ' (missed)'}`,
    ]),
  );
}

function contenderList({ contenders }: Results): string {
  return contenders
    .map(({ title, library, details, threads }) => {
      return `- ${title}: ${library}; ${details}; ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    })
    .join('\n');
}

function notMeasured({ absent, skips, contenders }: Results): string[] {
  // One line for all the workloads that a contender leaves out for one reason.
  const reasons = new Map<string, string[]>();
  for (const { contender, workload, reason, isFailure } of skips) {
    const title = contenders.find(({ id }) => id === contender)?.title ?? contender;
    const key = `- ${title}: ${isFailure ? 'failed: ' : ''}${reason}`;
    reasons.set(key, [...(reasons.get(key) ?? []), workload]);
  }
  return [
    ...absent.map((contender) => `- ${contender.title}: ${contender.reason}`),
    ...[...reasons].map(([reason, workloads]) => `${reason} (${workloads.join(', ')})`),
  ];
}

/** The first column to the left and the others to the right, padded as the repository's formatter has it. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) =>
    Math.max(3, ...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  return [line(header), line(rule), ...rows.map(line)].join('\n');
}
