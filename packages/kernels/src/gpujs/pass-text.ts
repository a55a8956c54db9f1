/** The text of a pass as gpu.js takes it, with the functions that it calls. */

import type { PassArgument, PortablePass } from '../portable/types.js';
import { bodyTexts, helperTexts } from './generated/portable-text.js';

export interface PassText {
  readonly body: string;
  /** What the parameters of the body stand for. */
  readonly arguments: readonly PassArgument[];
  /** Every function that the body reaches. */
  readonly helpers: readonly string[];
}

/** Parameters that the body makes no use of are left out: each would be a copy, and a texture of the few that OpenGL has. */
export function passText({ body, arguments: passArguments }: PortablePass): PassText {
  // gpu.js has no name for NaN.
  const text = typeof body === 'string' ? body.replace(/\bNaN\b/g, '(0 / 0)') : bodyTexts.get(body);
  if (text === undefined) throw new RangeError(`no text of the portable function ${body}`);
  const begin = text.indexOf('(');
  const end = text.indexOf(')');
  const rest = text.slice(end);
  const parameters = text
    .slice(begin + 1, end)
    .split(', ')
    .map((name, position) => ({ name, argument: passArguments[position] }))
    .filter(({ name }) => new RegExp(`\\b${name}\\b`).test(rest) && name !== '');
  return {
    body: `${text.slice(0, begin)}(${parameters.map(({ name }) => name).join(', ')}${rest}`,
    arguments: parameters.map(({ argument }) => argument),
    helpers: reachedHelpers(rest),
  };
}

function reachedHelpers(text: string): string[] {
  const reached = new Map<string, string>();
  const visit = (caller: string) => {
    for (const [, name] of caller.matchAll(/(?<![.\w])(\w+)\(/g)) {
      if (!Object.hasOwn(helperTexts, name) || reached.has(name)) continue;
      reached.set(name, helperTexts[name]);
      visit(helperTexts[name]);
    }
  };
  visit(text);
  return [...reached.values()];
}
