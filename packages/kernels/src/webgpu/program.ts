/** What a kernel becomes on a GPU: compute shaders, dispatched in order over buffers. */

import type { DType } from '../dtype.js';
import type { Target } from './target.js';
import { scalarType, wgsl } from './wgsl.js';

export interface Program {
  readonly dispatches: readonly Dispatch[];
  /** Elements of each scratch buffer, four bytes an element. Their content is undefined before the program writes it. */
  readonly scratch: readonly number[];
}

/** Where a buffer of a dispatch comes from: the command, or the program's scratch memory. */
export type Place = { readonly input: number } | { readonly output: number } | { readonly scratch: number };

/**
 * A buffer as one shader sees it. In WGSL, element i (or vector i, of `width` elements) of the buffer called x is
 * `load_x(i)` and `store_x(i, value)`; i is a u32.
 */
export interface BufferUse {
  readonly name: string;
  readonly place: Place;
  readonly dtype: DType;
  /** Elements per load and store: 1 for a scalar, 4 for a vec4. */
  readonly width: 1 | 4;
  /** 'update' is both: a buffer that a map changes in place. */
  readonly access: 'read' | 'write' | 'update';
}

export interface Dispatch {
  /** For people and profiles: 'matmul 64x64x16'. */
  readonly label: string;
  readonly buffers: readonly BufferUse[];
  /** dtypes of the kernel's scalars, if this shader reads them: slot 2 is `scalars.s2`. */
  readonly scalars?: readonly DType[];
  /** Whether the code uses subgroups, which only a target with a `subgroupSize` has. */
  readonly subgroups?: boolean;
  /** WGSL without declarations of buffers and scalars; its entry point is called main. */
  readonly code: string;
  readonly workgroups: readonly [number, number, number];
}

/** Words of `var<immediate>` that every adapter with immediates has. */
const MOST_IMMEDIATES = 16;

export type ScalarStorage = 'immediate' | 'uniform';

/** Where a dispatch's scalars live, if it has any: beside the command where the adapter can, else in a uniform buffer. */
export function scalarStorage(dispatch: Dispatch, hasImmediates: boolean): ScalarStorage | undefined {
  const count = dispatch.scalars?.length ?? 0;
  if (count === 0) return undefined;
  return hasImmediates && count <= MOST_IMMEDIATES ? 'immediate' : 'uniform';
}

/** The complete WGSL module of a dispatch. Buffers are bound in group 0 in their order, uniform scalars in group 1. */
export function moduleSource(dispatch: Dispatch, hasImmediates: boolean): string {
  const storage = scalarStorage(dispatch, hasImmediates);
  const parts = dispatch.buffers.map(bufferDeclaration);
  if (storage !== undefined) parts.unshift(scalarsDeclaration(dispatch.scalars ?? [], storage));
  if (dispatch.subgroups) parts.unshift('enable subgroups;');
  return [...parts, dispatch.code].join('\n');
}

function bufferDeclaration({ name, dtype, width, access }: BufferUse, binding: number): string {
  const scalar = scalarType[dtype];
  const type = width === 1 ? scalar : `vec4<${scalar}>`;
  const mode = access === 'read' ? 'read' : 'read_write';
  const lines = [`@group(0) @binding(${binding}) var<storage, ${mode}> ${name}: array<${type}>;`];
  if (access !== 'write') lines.push(`fn load_${name}(i: u32) -> ${type} { return ${name}[i]; }`);
  if (access !== 'read') lines.push(`fn store_${name}(i: u32, value: ${type}) { ${name}[i] = value; }`);
  return `${lines.join('\n')}\n`;
}

function scalarsDeclaration(scalars: readonly DType[], storage: ScalarStorage): string {
  const variable = storage === 'immediate' ? 'var<immediate>' : '@group(1) @binding(0) var<uniform>';
  return wgsl`
    struct Scalars {
      ${scalars.map((dtype, slot) => `s${slot}: ${scalarType[dtype]},`)}
    }
    ${variable} scalars: Scalars;
  `;
}

/** A grid of so many workgroups in one row, folded where one dimension cannot hold them. */
export interface LinearGrid {
  readonly workgroups: readonly [number, number, number];
  /**
   * WGSL: the position in the row, where `group` is the `@builtin(workgroup_id)`. A folded grid has a few workgroups more than
   * were asked for: the shader must leave when the position is not below the number (uniformly, hence also before barriers).
   */
  readonly index: string;
}

export function linearGrid(count: number, target: Target): LinearGrid {
  const rows = Math.ceil(count / target.workgroupsPerDimension);
  const columns = Math.ceil(count / Math.max(rows, 1));
  return {
    workgroups: [columns, rows, 1],
    index: rows <= 1 ? 'group.x' : `(group.x + group.y * ${columns}u)`,
  };
}
