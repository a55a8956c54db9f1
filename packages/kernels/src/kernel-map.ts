/** What a device made of each kernel, found by identity, or by key where an equal kernel was seen before. */

import type { Command } from './device.js';
import { type Kernel, kernelKey } from './kernel.js';

/** Pairs [input, output] of a command, a map's, that are one buffer. */
export type InPlace = readonly (readonly [input: number, output: number])[];

export class KernelMap<Made> {
  readonly #make: (kernel: Kernel, inPlace: InPlace) => Made;
  readonly #byKey = new Map<string, Made>();
  #byIdentity = new WeakMap<Kernel, Map<string, Made>>();

  constructor(make: (kernel: Kernel, inPlace: InPlace) => Made) {
    this.#make = make;
  }

  /** What was made of the kernel as it runs on buffers of which those of `inPlace` are the same, made now if need be. */
  get(kernel: Kernel, inPlace: InPlace): Made {
    return this.find(kernel, inPlace) ?? this.#add(kernel, inPlace, this.#make(kernel, inPlace));
  }

  /** What `get` has given before. */
  find(kernel: Kernel, inPlace: InPlace): Made | undefined {
    const known = this.#byIdentity.get(kernel)?.get(aliasesOf(inPlace));
    if (known !== undefined) return known;
    const equal = this.#byKey.get(keyOf(kernel, inPlace));
    return equal && this.#add(kernel, inPlace, equal);
  }

  #add(kernel: Kernel, inPlace: InPlace, made: Made): Made {
    let variants = this.#byIdentity.get(kernel);
    if (variants === undefined) {
      variants = new Map();
      this.#byIdentity.set(kernel, variants);
    }
    variants.set(aliasesOf(inPlace), made);
    this.#byKey.set(keyOf(kernel, inPlace), made);
    return made;
  }

  values(): Iterable<Made> {
    return this.#byKey.values();
  }

  clear(): void {
    this.#byKey.clear();
    this.#byIdentity = new WeakMap();
  }
}

function aliasesOf(inPlace: InPlace): string {
  return inPlace.length === 0 ? '' : inPlace.join(';');
}

function keyOf(kernel: Kernel, inPlace: InPlace): string {
  return `${aliasesOf(inPlace)} ${kernelKey(kernel)}`;
}

/** Which buffers a command both reads and writes. */
export function inPlaceOf({ inputs, outputs }: Command): InPlace {
  const pairs: [number, number][] = [];
  outputs.forEach((buffer, output) => {
    inputs.forEach((other, input) => {
      if (other === buffer) pairs.push([input, output]);
    });
  });
  return pairs;
}
