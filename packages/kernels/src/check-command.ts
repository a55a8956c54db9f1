/** What the contract asks of a command: buffers in the right number, large enough, and not overlapping. */

import type { Command } from './device.js';
import { bytesPerElement } from './dtype.js';
import { DmpoError } from './errors.js';
import { kernelInputElements, kernelOutputs, type MapKernel } from './kernel.js';
import { isIdentityView } from './view.js';

/** Throws `INVALID_COMMAND` naming what is wrong. */
export function checkCommand({ kernel, inputs, outputs, scalars }: Command): void {
  const problem = (text: string) =>
    new DmpoError(
      'INVALID_COMMAND',
      `A ${kernel.kind} command ${text}.`,
      'Build commands as the kernel describes: see kernelInputElements and kernelOutputs.',
    );
  const inputElements = kernelInputElements(kernel);
  const outputSpecs = kernelOutputs(kernel);
  if (inputs.length !== inputElements.length || inputs.length !== kernel.inputs.length) {
    throw problem(`has ${inputs.length} inputs, not ${inputElements.length}`);
  }
  if (outputs.length !== outputSpecs.length) {
    throw problem(`has ${outputs.length} outputs, not ${outputSpecs.length}`);
  }
  if (scalars.length !== kernel.scalars.length) {
    throw problem(`has ${scalars.length} scalars, not ${kernel.scalars.length}`);
  }
  const inputSpecs = inputElements.map((elements, i) => ({ elements, dtype: kernel.inputs[i] }));
  const specs = [...inputSpecs, ...outputSpecs];
  [...inputs, ...outputs].forEach((buffer, i) => {
    const { elements, dtype } = specs[i];
    if (buffer.byteLength < elements * bytesPerElement[dtype]) {
      throw problem(`needs ${elements} elements in a buffer of ${buffer.byteLength} bytes`);
    }
  });
  if (new Set(outputs).size !== outputs.length) throw problem('writes one buffer twice');
  inputs.forEach((buffer, input) => {
    if (!outputs.includes(buffer)) return;
    if (kernel.kind !== 'map' || !readsByIdentityOnly(kernel, input)) {
      throw problem(`writes the buffer of input ${input}, which it reads elsewhere`);
    }
  });
}

function readsByIdentityOnly({ shape, expression }: MapKernel, input: number): boolean {
  return expression.instructions.every(
    (instruction) =>
      instruction.op !== 'load' || instruction.input !== input || isIdentityView(instruction.view, shape),
  );
}
