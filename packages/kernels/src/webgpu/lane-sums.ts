/** Sums over the lanes of a workgroup: invocations that share one piece of work, in a tree of fixed shape. */

import { wgsl } from './wgsl.js';
import { joinLanes } from './workgroup-join.js';

export interface LaneSums {
  /** Module-level WGSL: workgroup memory, if there is more than one lane. */
  readonly declarations: string;
  /** Declares `total_<name>`, the sum of the variable `<name>` over all lanes, in every one of them. Needs uniform control flow. */
  readonly lines: string;
}

/**
 * Sums of the variables `names`, all of one WGSL type, over `lanes` invocations, a power of two. Invocation `local` is lane
 * `local / places` of place `local % places`: each place has sums of its own.
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
  const declarations = wgsl`
    ${names.map((name) => `var<workgroup> lanes_${name}: array<${type}, ${lanes * places}>;`)}
    fn add_${names[0]}(a: ${type}, b: ${type}) -> ${type} { return a + b; }
  `;
  const place = places === 1 ? '0' : `local % ${places}u`;
  const lines = wgsl`
    ${names.map((name) =>
      joinLanes({ lanes, stride: places, shared: `lanes_${name}`, value: name, join: `add_${names[0]}` }),
    )}
    workgroupBarrier();
    ${names.map((name) => `let total_${name} = lanes_${name}[${place}];`)}
  `;
  return { declarations, lines: lines.trimEnd() };
}

/** Sums that a loop adds up: their variables, and the WGSL of what each pass of the loop adds. */
export type Terms = Readonly<Record<string, string>>;

/** What one invocation adds up before the sum is added to others: roundings grow with the terms of one sum, not of all. */
export const BLOCK = 32;

/** WGSL: variables of that name, with a prefix, that are zero. */
export function zeros(terms: Terms, type: string, prefix = ''): string[] {
  return Object.keys(terms).map((name) => `var ${prefix}${name} = ${type}(0);`);
}

/** WGSL that adds the terms to the variables with the prefix. */
export function additions(terms: Terms, prefix = ''): string[] {
  return Object.entries(terms).map(([name, term]) => `${prefix}${name} += ${term};`);
}

/** WGSL that adds the sums of a block to the variables of all. */
export function blockAdditions(terms: Terms): string[] {
  return Object.keys(terms).map((name) => `${name} += block_${name};`);
}
