/** Applies a structured kernel: checks that operands are float32 (or as stated) and makes its output nodes. */

import type { DType, Kernel } from '@dmpo/kernels';
import { dtypeError } from '../errors.js';
import { type Call, type CallGradient, nextId, type OutputNode, type Shape } from '../graph.js';
import { Tensor } from '../tensor.js';

type Structural<K> = K extends Kernel ? Omit<K, 'inputs' | 'scalars' | 'epilogue'> : never;

/** What a structured operation says of itself; the planner may add an epilogue to the kernel. */
export interface Application {
  readonly kernel: Structural<Kernel>;
  readonly inputs: readonly Tensor[];
  readonly inputTypes?: readonly DType[];
  readonly outputShapes: readonly Shape[];
  readonly gradient: CallGradient;
}

export function call({ kernel, inputs, inputTypes, outputShapes, gradient }: Application): Tensor[] {
  const types = inputTypes ?? inputs.map((): DType => 'float32');
  if (!inputs.every(({ dtype }, i) => dtype === types[i]))
    throw dtypeError(
      kernel.kind,
      inputs.map(({ dtype }) => dtype),
      `Operands must be ${types.join(', ')}: use cast().`,
    );
  const outputs: OutputNode[] = [];
  const id = nextId();
  const made: Call = {
    id,
    kernel: { ...kernel, inputs: types, scalars: [] } as Kernel,
    inputs: inputs.map((input) => input.node),
    outputs,
    gradient,
  };
  outputShapes.forEach((shape, index) => {
    outputs.push({ kind: 'output', id: nextId(), shape, dtype: 'float32', call: made, index });
  });
  return outputs.map((node) => new Tensor(node));
}
