/** Joins the values of several invocations of a workgroup, always in the same order. */

import { wgsl } from './wgsl.js';

export interface LaneJoin {
  /** Invocations that join their values, a power of two; each knows its number by `lane`. */
  readonly lanes: number;
  /** Distance of neighbouring lanes in `local`, the index of the invocation. */
  readonly stride: number;
  /** An array in workgroup memory with an element for each invocation. */
  readonly shared: string;
  /** The variable to join. Afterwards lane 0 has the result, and only lane 0. */
  readonly value: string;
  /** The function that joins two values. */
  readonly join: string;
}

/** WGSL of a tree over the lanes, to stand in uniform control flow. */
export function joinLanes({ lanes, stride, shared, value, join }: LaneJoin): string {
  if (lanes === 1) return '';
  return wgsl`
    ${shared}[local] = ${value};
    for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) {
        ${value} = ${join}(${value}, ${shared}[local + half * ${stride}u]);
        ${shared}[local] = ${value};
      }
    }
  `;
}
