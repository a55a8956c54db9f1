/** Operands for tests: host data seen through chains of movements, and the same view taken in plain arithmetic. */

import type { DType } from '@dmpo/kernels';
import fc from 'fast-check';
import { tensor } from '../ops/creation.js';
import type { Tensor } from '../tensor.js';
import { Choices, normals, size } from './data.js';
import type { PlainArray } from './plain.js';
import * as plain from './plain.js';

export interface Operand {
  /** What lies on the host. */
  readonly leaf: PlainArray;
  readonly dtype: DType;
  /** The operand, given its leaf as a tensor. */
  readonly view: (leaf: Tensor) => Tensor;
  /** The operand in plain arithmetic, for any data of the leaf. */
  readonly plainView: (leaf: PlainArray) => PlainArray;
}

export interface OperandOptions {
  readonly dtype?: DType;
  readonly values?: (seed: number, elements: number) => ArrayLike<number>;
  /** Movements between the leaf and the operand. Default 0 to 3, by the seed. */
  readonly depth?: number;
  readonly movements?: readonly MovementName[];
}

/** The leaf as a tensor; `data` replaces its numbers. */
export const leafTensor = ({ leaf, dtype }: Operand, data: Float64Array = leaf.data): Tensor =>
  tensor(data, leaf.shape, dtype);

/** An operand of the given shape that is read through movements chosen by the seed. */
export function operand(shape: readonly number[], seed: number, options: OperandOptions = {}): Operand {
  const { dtype = 'float32', values = normals, movements = movementNames } = options;
  const choices = new Choices(seed);
  const depth = options.depth ?? choices.below(4);
  const steps: Step[] = [];
  let leafShape = shape;
  for (let i = 0; i < depth; i++) {
    const step = makeStep[choices.of(movements)](leafShape, choices);
    steps.unshift(step);
    leafShape = step.source;
  }
  return {
    leaf: plain.fromFlat(leafShape, values(seed, plain.count(leafShape))),
    dtype,
    view: (leaf) => steps.reduce((x, step) => step.tensor(x), leaf),
    plainView: (leaf) => steps.reduce((x, step) => step.plain(x), leaf),
  };
}

/** Shapes of rank 0 to `maxRank` with axes of size 1 among them, of a moderate number of elements. */
export const shapes = (maxRank = 6, minRank = 0): fc.Arbitrary<number[]> =>
  fc.array(size(1, 5), { minLength: minRank, maxLength: maxRank }).map((shape) => {
    let elements = 1;
    return shape.map((length) => {
      const fitting = elements * length > 150 ? 1 : length;
      elements *= fitting;
      return fitting;
    });
  });

/** A shape that broadcasts to the given one: some axes of size 1, some leading axes missing. */
export function broadcastable(shape: readonly number[], choices: Choices): number[] {
  const narrowed = shape.map((length) => (choices.below(4) === 0 ? 1 : length));
  return choices.below(3) === 0 ? narrowed.slice(choices.below(shape.length + 1)) : narrowed;
}

const movementNames = ['permute', 'slice', 'broadcast', 'pad', 'reshape'] as const;
export type MovementName = (typeof movementNames)[number];

/** One movement that ends in a wanted shape. */
interface Step {
  readonly source: readonly number[];
  readonly tensor: (x: Tensor) => Tensor;
  readonly plain: (x: PlainArray) => PlainArray;
}

const makeStep: Record<MovementName, (shape: readonly number[], choices: Choices) => Step> = {
  permute(shape, choices) {
    const axes = choices.shuffled([...shape.keys()]);
    const source = shape.map((_, d) => shape[axes.indexOf(d)]);
    return { source, tensor: (x) => x.permute(axes), plain: (x) => plain.permute(x, axes) };
  },
  slice(shape, choices) {
    const begin = shape.map(() => choices.below(2));
    const end = shape.map((length, d) => begin[d] + length);
    const source = end.map((length) => length + choices.below(2));
    return {
      source,
      tensor: (x) => x.slice(begin, end),
      plain: (x) => plain.slice(x, begin, shape),
    };
  },
  broadcast(shape, choices) {
    return {
      source: broadcastable(shape, choices),
      tensor: (x) => x.broadcastTo(shape),
      plain: (x) => plain.broadcastTo(x, shape),
    };
  },
  pad(shape, choices) {
    const amounts = shape.map((length): [number, number] => {
      const before = Math.min(choices.below(2), length - 1);
      return [before, Math.min(choices.below(2), length - 1 - before)];
    });
    const source = shape.map((length, d) => length - amounts[d][0] - amounts[d][1]);
    return { source, tensor: (x) => x.pad(amounts), plain: (x) => plain.pad(x, amounts) };
  },
  reshape(shape, choices) {
    return {
      source: rearranged(shape, choices),
      tensor: (x) => x.reshape(shape),
      plain: (x) => plain.reshape(x, shape),
    };
  },
};

/** Another shape of as many elements: flat, two axes merged, one split, or an axis of size 1 added. */
function rearranged(shape: readonly number[], choices: Choices): number[] {
  const at = choices.below(shape.length + 1);
  const length = shape[at] ?? 1;
  switch (choices.of(['flat', 'merge', 'split', 'unsqueeze'] as const)) {
    case 'flat':
      return [plain.count(shape)];
    case 'merge':
      return at + 1 < shape.length
        ? [...shape.slice(0, at), length * shape[at + 1], ...shape.slice(at + 2)]
        : [...shape];
    case 'split':
      return length % 2 === 0 ? [...shape.slice(0, at), 2, length / 2, ...shape.slice(at + 1)] : [...shape];
    case 'unsqueeze':
      return [...shape.slice(0, at), 1, ...shape.slice(at)];
  }
}
