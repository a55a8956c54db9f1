/** What a portable kernel is: a program of passes, each a plain function of one element of what the pass computes. */

/** Numbers by position: a typed array on the reference device, a texture or storage buffer under gpu.js. */
export interface NumberArray {
  readonly length: number;
  readonly [index: number]: number;
}

/** `this` of a portable function, as gpu.js has it: the flat index of the element to compute, and the sizes. */
export interface PortableThread<Constants> {
  readonly thread: { readonly x: number };
  readonly constants: Constants;
}

/**
 * Computes element `this.thread.x`. Written in the subset of JavaScript that gpu.js transpiles: numbers, `for` loops, `let`
 * and `const`, arithmetic, `Math`, reading arguments by index, and calls of `portableFunctions`.
 */
export type PortableFunction<Constants> = (
  this: PortableThread<Constants>,
  ...inputs: NumberArray[]
) => number;

/** Where an argument of a pass comes from: an input of the kernel, the result of an earlier pass, or the scalar table. */
export type PassArgument = { readonly input: number } | { readonly pass: number } | 'scalars';

export interface PortablePass {
  /** The function, or the text of one where it is generated from an expression. */
  readonly body: PortableFunction<Readonly<Record<string, number>>> | string;
  readonly constants: Readonly<Record<string, number>>;
  readonly arguments: readonly PassArgument[];
  readonly elements: number;
}

export interface PortableProgram {
  readonly passes: readonly PortablePass[];
  /** For each output of the kernel, the pass that computes it. */
  readonly outputs: readonly number[];
}

/** Argument: input number `index` of the kernel. */
export const input = (index: number): PassArgument => ({ input: index });

/** Argument: the result of an earlier pass of the program. */
export const result = (index: number): PassArgument => ({ pass: index });

/** A pass of a function written by hand. The program's arguments must be those of the function. */
export function pass<Constants extends { readonly [Name in keyof Constants]: number }>(
  body: PortableFunction<Constants>,
  constants: Constants,
  passArguments: readonly PassArgument[],
  elements: number,
): PortablePass {
  return { body: body as PortablePass['body'], constants, arguments: passArguments, elements };
}
