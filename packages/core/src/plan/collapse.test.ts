// Collapsing an index space changes neither what its views read nor its indices, and leaves as few axes as they allow.
import type { Expression, Instruction, View } from '@dmpo/kernels';
import { contiguousStrides, elementCount } from '@dmpo/kernels';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readThroughView, viewCases } from '../../../kernels/src/testing/views.js';
import { forAll, normals, seeds } from '../testing/data.js';
import { indicesOf } from '../testing/plain.js';
import { collapse } from './collapse.js';

const load = (view: View, input = 0): Instruction => ({ op: 'load', dtype: 'float32', input, view });
const expressionOf = (...instructions: Instruction[]): Expression => ({
  instructions,
  results: [instructions.length - 1],
});
const contiguous = (shape: readonly number[]): View => ({ offset: 0, strides: contiguousStrides(shape) });

describe('collapse', () => {
  it('keeps what views read', async () => {
    await forAll(
      fc.record({ views: viewCases(3), seed: seeds, marks: fc.infiniteStream(fc.boolean()) }),
      200,
      async ({ views, seed, marks }) => {
        const { shape, inputs } = views;
        const index: Instruction = {
          op: 'index',
          dtype: 'int32',
          offset: 3,
          strides: contiguousStrides(shape),
        };
        const instructions = [...inputs.map(({ view }, i) => load(view, i)), index];
        const axes = shape.flatMap((_, d) => (marks.next().value ? [d] : []));
        const result = collapse(shape, expressionOf(...instructions), axes);

        expect(elementCount(result.shape)).toBe(elementCount(shape));
        expect(result.shape.length).toBeLessThanOrEqual(Math.max(1, shape.length));
        const reduced = (sizes: readonly number[], marked: readonly number[]) =>
          elementCount(sizes.filter((_, d) => marked.includes(d)));
        expect(reduced(result.shape, result.axes)).toBe(reduced(shape, axes));

        inputs.forEach(({ view, elements }, i) => {
          const instruction = result.expression.instructions[i];
          if (instruction.op !== 'load') throw new Error('The load is gone.');
          const data = normals(seed + i, elements);
          expect(readThroughView(data, instruction.view, result.shape)).toEqual(
            readThroughView(data, view, shape),
          );
        });
        const last = result.expression.instructions[inputs.length];
        if (last.op !== 'index') throw new Error('The index is gone.');
        const values = Array.from(indicesOf(result.shape), (coordinates) =>
          coordinates.reduce((sum, coordinate, d) => sum + coordinate * last.strides[d], last.offset),
        );
        expect(values).toEqual(Array.from({ length: elementCount(shape) }, (_, i) => i + 3));
      },
    );
  });

  it.each<[string, number[], View[], number[], number[]]>([
    ['contiguous axes to one', [2, 3, 4], [contiguous([2, 3, 4])], [], [24]],
    ['axes of size 1 to nothing', [1, 1], [contiguous([1, 1])], [], []],
    [
      'a bias over channels to two',
      [2, 3, 4],
      [contiguous([2, 3, 4]), { offset: 0, strides: [0, 0, 1] }],
      [],
      [6, 4],
    ],
    ['a transpose to its two', [3, 4], [contiguous([3, 4]), { offset: 0, strides: [1, 3] }], [], [3, 4]],
    ['reduced axes apart from kept ones', [2, 3, 4, 5], [contiguous([2, 3, 4, 5])], [1, 2], [2, 12, 5]],
    [
      'a padded axis apart',
      [2, 3],
      [
        {
          offset: 0,
          strides: [3, 1],
          valid: [
            [0, 2],
            [0, 2],
          ],
        },
      ],
      [],
      [2, 3],
    ],
    ['padding alone to one axis', [1], [{ offset: -1, strides: [1], valid: [[1, 1]] }], [], [1]],
  ])('reduces %s', (_, shape, views, axes, expected) => {
    const { shape: actual } = collapse(shape, expressionOf(...views.map((view, i) => load(view, i))), axes);
    expect(actual).toEqual(expected);
  });
});
