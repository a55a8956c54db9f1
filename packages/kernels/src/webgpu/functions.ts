/** Declares the functions that a shader calls by the name `dmpo_...`: those of math.ts and random.ts, and no others. */

import { mathFunctions } from './math.js';
import { randomFunctions } from './random.js';

/**
 * The code with the functions that it needs in front of it. A function is written once, over the types F, I, U and B of floats,
 * integers, unsigned integers and truth values; `dmpo_exp` is the one over scalars, `dmpo_exp_4` the one over vectors of four.
 */
export function withFunctions(code: string): string {
  const declarations = new Map<string, string>();
  const declare = (caller: string) => {
    for (const [name] of caller.matchAll(/\bdmpo_\w+/g)) {
      if (declarations.has(name)) continue;
      const declaration = declarationOf(name);
      declarations.set(name, declaration);
      declare(declaration);
    }
  };
  declare(code);
  return [...declarations.values(), code].join('\n');
}

const types = {
  1: { F: 'f32', I: 'i32', U: 'u32', B: 'bool' },
  4: { F: 'vec4f', I: 'vec4i', U: 'vec4u', B: 'vec4<bool>' },
};

const sources = new Map(
  [...mathFunctions, ...randomFunctions].map((source) => [/\bfn (\w+)/.exec(source)?.[1], source]),
);

function declarationOf(name: string): string {
  const isVector = name.endsWith('_4');
  const source = sources.get(isVector ? name.slice(0, -2) : name);
  if (source === undefined) throw new RangeError(`There is no function ${name}.`);
  return source
    .replace(/\b[FIUB]\b/g, (letter) => types[isVector ? 4 : 1][letter as keyof (typeof types)[1]])
    .replace(/\bdmpo_\w+/g, (callee) => (isVector ? `${callee}_4` : callee));
}
