/** What an optimiser keeps between steps, as named tensors for a checkpoint: its slots and how many steps it has taken. */

import { elementCount } from '@dmpo/kernels';
import { DmpoError } from '../errors.js';
import type { Shape } from '../graph.js';
import { tensor } from '../ops/creation.js';
import { Parameter } from '../parameter.js';
import { update } from '../realize.js';
import { checkStateDict } from '../state-dict.js';
import type { Tensor } from '../tensor.js';

/** Parameters by name, as `module.parameters()` gives them. */
export type Parameters = ReadonlyMap<string, Parameter>;

const STEP = 'step';

/** A slot of state for a parameter of this shape. */
export function zeroSlot(shape: Shape): Parameter {
  return new Parameter(new Float32Array(elementCount(shape)), shape);
}

export function shapesOf(tensors: ReadonlyMap<string, Tensor>): Map<string, Shape> {
  return new Map([...tensors].map(([name, { shape }]) => [name, shape]));
}

export function saveState(steps: number, slots: Parameters): Map<string, Tensor> {
  return new Map<string, Tensor>([[STEP, tensor(Int32Array.of(steps), [])], ...slots]);
}

/** Restores the slots and gives the number of steps. Throws `STATE_DICT_MISMATCH` before anything has changed. */
export async function loadState(
  owner: string,
  state: ReadonlyMap<string, Tensor>,
  slots: Parameters,
): Promise<number> {
  const values = new Map(state);
  const steps = values.get(STEP);
  values.delete(STEP);
  checkStateDict(owner, values, shapesOf(slots));
  if (steps?.dtype !== 'int32') {
    throw new DmpoError(
      'STATE_DICT_MISMATCH',
      `The state for ${owner} has no int32 tensor "${STEP}".`,
      'Load what state() gave, or a file made from it.',
    );
  }
  const count = await steps.item();
  update([...slots].map(([name, slot]) => [slot, values.get(name) as Tensor]));
  return count;
}
