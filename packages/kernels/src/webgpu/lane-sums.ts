/** Sums over the lanes of a workgroup: invocations that share one piece of work, in a tree of fixed shape. */

import { wgsl } from './wgsl.js';

export interface LaneSums {
  /** Module-level WGSL: workgroup memory, if there is more than one lane. */
  readonly declarations: string;
  /** Declares `total_<name>`, the sum of the variable `<name>` over all lanes, in every one of them. Needs uniform control flow. */
  readonly lines: string;
}

/**
 * Sums of the variables `names`, all of one WGSL type, over `lanes` invocations. Invocation `local` is lane `local / places`
 * of place `local % places`: each place has sums of its own.
 */
export function laneSums(
  names: readonly string[],
  type: string,
  lanes: number,
  places: number = 1,
): LaneSums {
  if (lanes === 1) {
    return { declarations: '', lines: names.map((name) => `let total_${name} = ${name};`).join('\n') };
  }
  const declarations = names
    .map((name) => `var<workgroup> lanes_${name}: array<${type}, ${lanes * places}>;\n`)
    .join('');
  const steps: string[] = [];
  for (let count = lanes; count > 1; ) {
    const half = Math.ceil(count / 2);
    steps.push(wgsl`
      if (local < ${(count - half) * places}u) {
        ${names.map((name) => `lanes_${name}[local] += lanes_${name}[local + ${half * places}u];`)}
      }
      workgroupBarrier();
    `);
    count = half;
  }
  const place = places === 1 ? '0' : `local % ${places}u`;
  const lines = wgsl`
    ${names.map((name) => `lanes_${name}[local] = ${name};`)}
    workgroupBarrier();
    ${steps.join('').trimEnd()}
    ${names.map((name) => `let total_${name} = lanes_${name}[${place}];`)}
  `;
  return { declarations, lines: lines.trimEnd() };
}
