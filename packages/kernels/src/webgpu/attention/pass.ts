/**
 * A pass of FlashAttention, apart from how it is scheduled: rows stay in registers while columns stream past them.
 *
 * Of each row and column, score i is the dot product of the row's vector in held[i] and the column's in streamed[i]. The
 * scores become weights, and each sum collects weight * vector of one streamed matrix over all columns. The score matrix is never stored.
 * direct.ts and tiled.ts turn a pass into a shader.
 */

import type { AttentionKernel } from '../../kernel.js';
import type { BufferUse, Place } from '../program.js';

export type AttentionSizes = Pick<
  AttentionKernel,
  'batch' | 'heads' | 'queries' | 'keys' | 'headDim' | 'scale'
>;

/** A matrix [batch, tokens, heads, headDim], or a value per [batch, heads, query]; its buffer and its name in WGSL. */
export interface Operand {
  readonly name: string;
  readonly place: Place;
}

/** A matrix of the rows' side, multiplied by a constant as it is loaded. */
export interface Held extends Operand {
  readonly factor?: number;
}

/** rows.vector = finish(sum over columns of weight * streamed vector). */
export interface Sum extends Operand {
  /** The streamed matrix by its name. */
  readonly streamed: string;
  /** WGSL of the stored vector, from the sum and the row's variables. */
  finish(sum: string, row: number): string;
}

/** The names, in WGSL, of what belongs to one row and the columns that are treated at once. */
export interface Block {
  readonly row: number;
  readonly columns: readonly number[];
  score(held: number, column: number): string;
  /** A value per query (`perQuery`) at this row or at this column, whichever is the query. */
  value(name: string, column: number): string;
  weight(sum: number, column: number): string;
  /** WGSL: whether the column exists; undefined where all do. */
  exists(column: number): string | undefined;
  /** WGSL statements that multiply the row's sums by a factor. */
  rescale(factor: string): string[];
}

export interface FlashPass {
  readonly label: string;
  readonly sizes: AttentionSizes;
  /** The tokens that are rows; the columns are the other ones. */
  readonly rows: 'queries' | 'keys';
  readonly held: readonly Held[];
  readonly streamed: readonly Operand[];
  /** Values [batch, heads, query] that the weights need, multiplied by a constant as they are loaded. */
  readonly perQuery: readonly Held[];
  readonly sums: readonly Sum[];
  /** Values [batch, heads, query] that are stored at the end; only where queries are rows. */
  readonly results: readonly (Operand & { value(row: number): string })[];
  /** WGSL declarations of a row's variables. */
  declare(row: number): string[];
  /** WGSL statements that declare each weight of these rows as a `let`. */
  weigh(rows: readonly Block[]): string[];
  /** Parts into which the columns are split; sum i of part p is stored at [p, batch, tokens, heads, headDim] if there are several. */
  readonly slices: number;
}

/** Below every score; finite, because WGSL has no infinity, and far enough from the largest float to be subtracted from. */
export const LOWEST = -1e30;

/** exp(x) = exp2(x * LOG2E): the factor goes into the scale of the scores. */
export const { LOG2E, LN2 } = Math;

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export const rowCount = ({ rows, sizes }: FlashPass): number => sizes[rows];
export const columnCount = ({ rows, sizes }: FlashPass): number =>
  sizes[rows === 'queries' ? 'keys' : 'queries'];

/** Columns of each slice but the last: a multiple of what is treated at once. */
export const sliceColumns = (pass: FlashPass, multiple: number): number =>
  Math.ceil(columnCount(pass) / pass.slices / multiple) * multiple;

export function passBuffers(pass: FlashPass): BufferUse[] {
  const use = (width: 1 | 4, access: 'read' | 'write') => (operand: Operand) =>
    ({ name: operand.name, place: operand.place, dtype: 'float32', width, access }) as const;
  return [
    ...[...pass.held, ...pass.streamed].map(use(4, 'read')),
    ...pass.perQuery.map(use(1, 'read')),
    ...pass.sums.map(use(4, 'write')),
    ...pass.results.map(use(1, 'write')),
  ];
}

/** WGSL of a load times the operand's factor. */
export const scaledLoad = ({ name, factor = 1 }: Held, index: string): string =>
  factor === 1 ? `load_${name}(${index})` : `load_${name}(${index}) * ${factor}`;

/** WGSL of a float, or of `otherwise` where the condition, if there is one, does not hold. */
export const guarded = (value: string, otherwise: number, condition: string | undefined): string =>
  condition === undefined ? value : `select(f32(${otherwise}), ${value}, ${condition})`;
