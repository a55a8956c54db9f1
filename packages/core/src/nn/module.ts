/** Module: a part of a network that knows its parameters by the names they have in files. */

import { elementCount } from '@dmpo/kernels';
import type { Shape } from '../graph.js';
import { Parameter } from '../parameter.js';
import { update } from '../realize.js';
import { checkStateDict } from '../state-dict.js';
import type { Tensor } from '../tensor.js';

/**
 * Base of everything with weights. Whatever a module holds in properties (a Parameter, a Module, an array of Modules) belongs to
 * it; a parameter's name is the path of properties that leads to it, such as `down_blocks.0.resnets.1.conv1.weight`.
 */
export abstract class Module {
  /**
   * For each own parameter that files hold with its axes in another order: which of the parameter's axes is the file's first,
   * second, ...
   */
  protected readonly fileAxes: Readonly<Record<string, readonly number[]>> = {};

  /** Every parameter by name, in the order of construction. */
  parameters(): Map<string, Parameter> {
    return new Map(this.#entries('').map(({ name, parameter }) => [name, parameter]));
  }

  /** Number of trainable numbers. */
  parameterCount(): number {
    let count = 0;
    for (const { shape } of this.parameters().values()) count += elementCount(shape);
    return count;
  }

  /**
   * The parameters, or other values of the same names and shapes (gradients, averages), with the names and layouts of files.
   * Throws `STATE_DICT_MISMATCH`.
   */
  stateDict(values: ReadonlyMap<string, Tensor> = this.parameters()): Map<string, Tensor> {
    const entries = this.#entries('');
    checkStateDict(
      this.constructor.name,
      values,
      new Map(entries.map(({ name, parameter }) => [name, parameter.shape])),
    );
    return new Map(
      entries.map(({ name, fileAxes }) => {
        const value = values.get(name) as Tensor;
        return [name, fileAxes ? value.permute(fileAxes) : value];
      }),
    );
  }

  /**
   * Sets every parameter from tensors with the names and layouts of files. Throws `STATE_DICT_MISMATCH`, and changes nothing,
   * unless there is exactly one of the right shape for each.
   */
  load(tensors: ReadonlyMap<string, Tensor>): void {
    const entries = this.#entries('');
    checkStateDict(
      this.constructor.name,
      tensors,
      new Map(entries.map((entry) => [entry.name, fileShape(entry)])),
    );
    update(
      entries.map(({ name, parameter, fileAxes }) => {
        const value = tensors.get(name) as Tensor;
        return [parameter, fileAxes ? value.permute(inverse(fileAxes)) : value];
      }),
    );
  }

  /** Sets every parameter to the present value of the same parameter of another module. Throws `STATE_DICT_MISMATCH`. */
  copyFrom(other: Module): void {
    this.load(other.stateDict());
  }

  /** Frees the memory of all parameters. */
  dispose(): void {
    for (const parameter of this.parameters().values()) parameter.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #entries(prefix: string): Entry[] {
    return Object.entries(this).flatMap(([key, value]) => {
      if (value instanceof Parameter) {
        return [{ name: prefix + key, parameter: value, fileAxes: this.fileAxes[key] }];
      }
      if (value instanceof Module) return value.#entries(`${prefix}${key}.`);
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, i) =>
        item instanceof Module ? item.#entries(`${prefix}${key}.${i}.`) : [],
      );
    });
  }
}

interface Entry {
  readonly name: string;
  readonly parameter: Parameter;
  readonly fileAxes: readonly number[] | undefined;
}

function fileShape({ parameter: { shape }, fileAxes }: Entry): Shape {
  return fileAxes ? fileAxes.map((axis) => shape[axis] as number) : shape;
}

function inverse(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}
