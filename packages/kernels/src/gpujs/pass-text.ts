/** The text of a pass as gpu.js takes it, with the functions that it calls. */

import type { PortablePass } from '../portable/types.js';
import { bodyTexts, helperTexts } from './generated/portable-text.js';

export interface PassText {
  readonly body: string;
  /** Every function that the body reaches. */
  readonly helpers: readonly string[];
}

export function passText({ body }: PortablePass): PassText {
  // gpu.js has no name for NaN.
  const text = typeof body === 'string' ? body.replace(/\bNaN\b/g, '(0 / 0)') : bodyTexts.get(body);
  if (text === undefined) throw new RangeError(`no text of the portable function ${body}`);
  return { body: text, helpers: reachedHelpers(text) };
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
