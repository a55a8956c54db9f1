/** A profile as trace events, the format of chrome://tracing and ui.perfetto.dev. */

import { type KernelTime, kernelBytes, kernelFlops, kernelTitle } from '@dmpo/kernels';

/** JSON. Times begin at 0. */
export function chromeTrace(commands: readonly KernelTime[]): string {
  const origin = Math.min(...commands.flatMap(({ parts }) => parts.map(({ begin }) => begin)));
  const traceEvents = commands.flatMap(({ kernel, parts }) => {
    const title = kernelTitle(kernel);
    return parts.map(({ label, begin, end }) => ({
      name: title,
      cat: kernel.kind,
      ph: 'X',
      ts: begin - origin,
      dur: end - begin,
      pid: 1,
      tid: 1,
      args: { program: label, kernelFlops: kernelFlops(kernel), kernelBytes: kernelBytes(kernel) },
    }));
  });
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents });
}
