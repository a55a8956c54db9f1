/**
 * Collapsing index spaces: neighbouring axes that every view walks as one become one, axes of size 1 go. Kernels then differ only
 * where they must, and inner loops are as long as they can be.
 */

import type { Expression, Instruction, View } from '@dmpo/kernels';
import type { Shape } from '../graph.js';

export interface IndexSpace {
  readonly shape: readonly number[];
  readonly expression: Expression;
  /** Axes marked in the original that survive, e.g. those of a reduction. */
  readonly axes: readonly number[];
}

/** @param axes marked axes; a marked and an unmarked axis are never merged */
export function collapse(shape: Shape, expression: Expression, axes: readonly number[] = []): IndexSpace {
  const marked = new Set(axes);
  const views = expression.instructions.flatMap(viewOf);
  /** Runs of original axes, outermost first, that become one axis each. */
  const runs: number[][] = [];
  shape.forEach((size, d) => {
    if (size === 1) return;
    const run = runs.at(-1);
    const previous = run?.at(-1);
    if (
      run &&
      previous !== undefined &&
      marked.has(previous) === marked.has(d) &&
      views.every((view) => mergeable(view, shape, previous, d))
    )
      run.push(d);
    else runs.push([d]);
  });
  // An axis of size 1 that lies in padding hides everything; one axis has to be left to say so.
  const isHidden = (view: View) =>
    view.valid?.some(([begin, end], d) => shape[d] === 1 && end <= begin) ?? false;
  if (runs.length === 0 && views.some(isHidden)) runs.push([0]);
  const kept = runs.map((run) => run[run.length - 1] as number);
  const remap = <V extends View>(view: V): View => {
    const strides = kept.map((d) => view.strides[d] as number);
    const hidden = isHidden(view);
    if (!view.valid) return { offset: view.offset, strides };
    const valid = runs.map((run, i): readonly [number, number] => {
      if (hidden && i === 0) return [0, 0];
      const only = run.length === 1 ? view.valid?.[run[0] as number] : undefined;
      return only ?? [0, sizeOf(run)];
    });
    const full = valid.every(([begin, end], i) => begin === 0 && end === sizeOf(runs[i] as number[]));
    return full ? { offset: view.offset, strides } : { offset: view.offset, strides, valid };
  };
  const sizeOf = (run: readonly number[]) => run.reduce((size, d) => size * (shape[d] as number), 1);
  const instructions = expression.instructions.map((instruction): Instruction => {
    if (instruction.op === 'load') return { ...instruction, view: remap(instruction.view) };
    if (instruction.op === 'index') return { ...instruction, strides: remap(instruction).strides };
    return instruction;
  });
  return {
    shape: runs.map(sizeOf),
    expression: { instructions, results: expression.results },
    axes: runs.flatMap((run, i) => (marked.has(run[0] as number) ? [i] : [])),
  };
}

function viewOf(instruction: Instruction): View[] {
  if (instruction.op === 'load') return [instruction.view];
  if (instruction.op === 'index') return [instruction];
  return [];
}

function mergeable(view: View, shape: Shape, outer: number, inner: number): boolean {
  if (view.strides[outer] !== (view.strides[inner] as number) * (shape[inner] as number)) return false;
  return [outer, inner].every((d) => {
    const range = view.valid?.[d];
    return !range || (range[0] === 0 && range[1] === shape[d]);
  });
}
