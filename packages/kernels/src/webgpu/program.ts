/** What a kernel becomes on a GPU: compute shaders, dispatched in order over buffers. */

import type { DType } from '../dtype.js';
import { withFunctions } from './functions.js';
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
  /** Elements per load and store: 1 for a scalar, 4 for a vec4; 2 only where float16 is packed into words. */
  readonly width: 1 | 2 | 4;
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
  /** The tile that was chosen, where there was a choice. */
  readonly tile?: TileChoice;
}

/** A choice that measuring could make better. */
export interface TileChoice {
  /** Shapes of one class share the choice. */
  readonly shapeClass: string;
  /** Names of all tiles worth measuring, at most eight, the one first that is taken without measuring. */
  candidates(): readonly string[];
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

/** How shaders see float16 in memory, whose bytes are the same: as f16, where the adapter has it, or as pairs in u32. */
export type Float16Storage = 'f16' | 'pairs';

/** The complete WGSL module of a dispatch. Buffers are bound in group 0 in their order, uniform scalars in group 1. */
export function moduleSource(
  dispatch: Dispatch,
  hasImmediates: boolean,
  float16: Float16Storage = 'pairs',
): string {
  const storage = scalarStorage(dispatch, hasImmediates);
  const hasFloat16 = dispatch.buffers.some(({ dtype }) => dtype === 'float16');
  const declareHalves = { f16: halfDeclaration, pairs: pairDeclaration }[float16];
  const parts = dispatch.buffers.map((use, binding) =>
    (use.dtype === 'float16' ? declareHalves : bufferDeclaration)(use, binding),
  );
  if (storage !== undefined) parts.unshift(scalarsDeclaration(dispatch.scalars ?? [], storage));
  const directives = [
    ...(hasFloat16 && float16 === 'f16' ? ['enable f16;'] : []),
    ...(dispatch.subgroups ? ['enable subgroups;'] : []),
  ];
  return [...directives, withFunctions(parts.join('\n')), dispatch.code].join('\n');
}

function bufferDeclaration(use: BufferUse, binding: number): string {
  const { name, dtype, width } = use;
  const scalar = scalarType[dtype];
  const type = width === 1 ? scalar : `vec${width}<${scalar}>`;
  return declaration(use, binding, type, type, `${name}[i]`, `${name}[i] = value;`);
}

function halfDeclaration(use: BufferUse, binding: number): string {
  const { name, width } = use;
  const inRegister = width === 1 ? 'f32' : `vec${width}<f32>`;
  const inMemory = width === 1 ? 'f16' : `vec${width}<f16>`;
  const load = `${inRegister}(${name}[i])`;
  return declaration(use, binding, inMemory, inRegister, load, `${name}[i] = ${inMemory}(value);`);
}

/** pack2x16float may do as it likes beyond the largest float16, and with ties: the bits are made by hand. */
function pairDeclaration(use: BufferUse, binding: number): string {
  const { name, width, access } = use;
  switch (width) {
    case 1:
      if (access !== 'read') throw new RangeError('stores of single float16 elements');
      return declaration(use, binding, 'u32', 'f32', `unpack2x16float(${name}[i >> 1u])[i & 1u]`, '');
    case 2: {
      const store = `${name}[i] = dmpo_float16_bits(value.x) | (dmpo_float16_bits(value.y) << 16u);`;
      return declaration(use, binding, 'u32', 'vec2<f32>', `unpack2x16float(${name}[i])`, store);
    }
    case 4: {
      const load = `vec4<f32>(unpack2x16float(${name}[i].x), unpack2x16float(${name}[i].y))`;
      const store = `let bits = dmpo_float16_bits_4(value); ${name}[i] = bits.xz | (bits.yw << vec2<u32>(16u));`;
      return declaration(use, binding, 'vec2<u32>', 'vec4<f32>', load, store);
    }
    default:
      return width satisfies never;
  }
}

/** The variable, and what loads and stores element `i` of it. */
function declaration(
  { name, access }: BufferUse,
  binding: number,
  inMemory: string,
  inRegister: string,
  load: string,
  store: string,
): string {
  const mode = access === 'read' ? 'read' : 'read_write';
  const lines = [`@group(0) @binding(${binding}) var<storage, ${mode}> ${name}: array<${inMemory}>;`];
  if (access !== 'write') lines.push(`fn load_${name}(i: u32) -> ${inRegister} { return ${load}; }`);
  if (access !== 'read') lines.push(`fn store_${name}(i: u32, value: ${inRegister}) { ${store} }`);
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
