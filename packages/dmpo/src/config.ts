/** Reads configurations of models and schedulers: every mistake is named, with its value and what would be right. */

import { DmpoError } from '@dmpo/core';
import type * as z from 'zod';
import { suggestName } from './nearest-name.js';

/**
 * `config` with defaults filled in.
 *
 * @param what whose configuration it is; begins the error's text
 * @throws `UNKNOWN_CONFIG_KEY` naming each unknown key and the nearest known one, `UNSUPPORTED_CONFIG_VALUE` naming each
 * refused key, its value and what is supported. One error names all mistakes.
 */
export function parseConfig<Schema extends z.ZodObject>(
  schema: Schema,
  config: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issues = result.error.issues;
  throw new DmpoError(
    issues.some((issue) => issue.code === 'unrecognized_keys')
      ? 'UNKNOWN_CONFIG_KEY'
      : 'UNSUPPORTED_CONFIG_VALUE',
    `${what} configuration: ${issues.map((issue) => describeIssue(issue, config, Object.keys(schema.shape))).join(' ')}`,
    'Correct the configuration.',
  );
}

/** The error for values that are fine one by one but not together. */
export function configError(what: string, problem: string, fix: string): DmpoError {
  return new DmpoError('UNSUPPORTED_CONFIG_VALUE', `${what} configuration: ${problem}`, fix);
}

function describeIssue(issue: z.core.$ZodIssue, config: unknown, knownKeys: readonly string[]): string {
  const key = issue.path.join('.');
  const given = JSON.stringify(valueAt(config, issue.path));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .map((unknown) => `Unknown key "${unknown}". ${suggestName(unknown, knownKeys)}`)
        .join(' ');
    case 'invalid_value':
      return `${key} is ${given}; supported: ${issue.values.map((value) => JSON.stringify(value)).join(', ')}.`;
    default:
      return key === '' ? `${issue.message}.` : `${key} is ${given}: ${issue.message}.`;
  }
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
  let value = config;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
