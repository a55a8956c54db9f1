/** Applies a structured kernel: checks that operands have the dtypes it takes, float32 unless stated, and makes its output nodes. */

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
  /** Whether operands that should be float32 may be float16 as well; what is computed is float32. */
  readonly takesFloat16?: boolean;
  readonly outputShapes: readonly Shape[];
  readonly gradient: CallGradient;
}

export function call(application: Application): Tensor[] {
  const { kernel, inputs, inputTypes, takesFloat16 = false, outputShapes, gradient } = application;
  const types =
    inputTypes ??
    inputs.map(({ dtype }): DType => (takesFloat16 && dtype === 'float16' ? 'float16' : 'float32'));
  if (!inputs.every(({ dtype }, i) => dtype === types[i]))
    throw dtypeError(
      kernel.kind,
      inputs.map(({ dtype }) => dtype),
      `Operands must be ${types.join(', ')}${takesFloat16 ? ' or float16' : ''}: use cast().`,
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
