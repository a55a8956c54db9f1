/** Epilogues of matmul and convolutions for tests, and the data they load. */

import type { DType } from '../dtype.js';
import type { Epilogue } from '../kernel.js';
import { elementCount } from '../view.js';
import { ExpressionBuilder } from './expression-builder.js';
import { normals } from './random-data.js';

export const epilogueNames = ['none', 'bias', 'bias silu', 'residual', 'time embedding', 'scalar'] as const;
export type EpilogueName = (typeof epilogueNames)[number];

/** What to spread into a kernel, and the inputs and scalars that follow its operands. */
export interface EpilogueCase {
  readonly kernel: { inputs: DType[]; scalars: DType[]; epilogue?: Epilogue };
  readonly inputs: Float32Array[];
  readonly scalars: number[];
}

/** An epilogue over an output of shape [batch, positions, channels] of a kernel with two operands. */
export function epilogueCase(
  name: EpilogueName,
  [batch, positions, channels]: readonly [number, number, number],
  seed: number,
): EpilogueCase {
  const shape = [batch, positions, channels];
  const e = new ExpressionBuilder(shape);
  // Data is made when it is asked for: tests that only compile need none.
  const build = (value: number, makers: (() => Float32Array)[], scalars: number[] = []): EpilogueCase => ({
    kernel: {
      inputs: ['float32', 'float32', ...makers.map((): DType => 'float32')],
      scalars: scalars.map((): DType => 'float32'),
      epilogue: { shape, expression: e.build(value) },
    },
    get inputs() {
      return makers.map((make) => make());
    },
    scalars,
  });
  const bias = () => normals(seed, channels);
  const biased = () =>
    e.apply('add', e.accumulator(), e.load(2, { view: { offset: 0, strides: [0, 0, 1] } }));
  switch (name) {
    case 'none':
      return { kernel: { inputs: ['float32', 'float32'], scalars: [] }, inputs: [], scalars: [] };
    case 'bias':
      return build(biased(), [bias]);
    case 'bias silu': {
      const value = biased();
      return build(e.apply('mul', value, e.apply('sigmoid', value)), [bias]);
    }
    case 'residual': {
      const sum = e.apply('add', biased(), e.load(3));
      return build(sum, [bias, () => normals(seed + 1, elementCount(shape))]);
    }
    case 'time embedding': {
      const embedding = e.load(3, { view: { offset: 0, strides: [channels, 0, 1] } });
      return build(e.apply('tanh', e.apply('add', biased(), embedding)), [
        bias,
        () => normals(seed + 1, batch * channels),
      ]);
    }
    case 'scalar': {
      // Reads the result twice, and an input backwards.
      const reversed = { offset: channels - 1, strides: [0, 0, -1] };
      const scaled = e.apply('mul', e.accumulator(), e.scalar(0));
      return build(
        e.apply('add', scaled, e.apply('mul', e.accumulator(), e.load(2, { view: reversed }))),
        [bias],
        [0.75],
      );
    }
    default:
      return name satisfies never;
  }
}
