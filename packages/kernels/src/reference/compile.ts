/** Turns a portable program into a function from float64 arrays to float64 arrays. */

import { portableFunctions } from '../portable/expression.js';
import type { NumberArray, PassArgument, PortablePass, PortableProgram } from '../portable/types.js';

/** From the kernel's inputs and scalars to new arrays, one per output. */
export type CompiledProgram = (inputs: readonly Float64Array[], scalars: readonly number[]) => Float64Array[];

export function compileProgram({ passes, outputs }: PortableProgram): CompiledProgram {
  const bodies = passes.map(compileBody);
  return (inputs, scalars) => {
    const results: Float64Array[] = [];
    const argumentValue = (argument: PassArgument): NumberArray => {
      if (argument === 'scalars') return scalars;
      return 'input' in argument ? inputs[argument.input] : results[argument.pass];
    };
    passes.forEach((pass, i) => {
      results.push(runPass(pass, bodies[i], pass.arguments.map(argumentValue)));
    });
    return outputs.map((pass) => results[pass]);
  };
}

type Body = Exclude<PortablePass['body'], string>;

function compileBody({ body }: PortablePass): Body {
  if (typeof body === 'function') return body;
  const factory = new Function(...Object.keys(portableFunctions), `'use strict'; return ${body};`);
  return factory(...Object.values(portableFunctions));
}

function runPass({ constants, elements }: PortablePass, body: Body, inputs: NumberArray[]): Float64Array {
  const values = new Float64Array(elements);
  const thread = { x: 0 };
  const element = body.bind({ thread, constants }, ...inputs);
  for (let i = 0; i < elements; i++) {
    thread.x = i;
    values[i] = element();
  }
  return values;
}
