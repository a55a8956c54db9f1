/** Helps a user who mistyped a name: the nearest known one, and the sentence that suggests it. */

import { closest, distance } from 'fastest-levenshtein';

/**
 * The known name with the smallest edit distance to `name`, ignoring case, hyphens and underscores (`blockOutChannels`
 * finds `block_out_channels`); undefined when nothing is near enough to be what was meant.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = simplified(name);
  const candidates = new Map(Array.from(known, (candidate) => [simplified(candidate), candidate]));
  if (candidates.size === 0) return undefined;
  const best = closest(wanted, [...candidates.keys()]);
  const worthMentioning = Math.max(2, Math.floor(Math.max(wanted.length, best.length) / 2));
  return distance(wanted, best) <= worthMentioning ? candidates.get(best) : undefined;
}

/** "Did you mean `beta`?" when a known name is near, otherwise a list of the known ones. */
export function suggestName(name: string, known: Iterable<string>): string {
  const names = [...known];
  const nearest = nearestName(name, names);
  return nearest === undefined ? `Known: ${names.join(', ')}.` : `Did you mean "${nearest}"?`;
}

function simplified(name: string): string {
  return name.toLowerCase().replaceAll(/[-_\s]/g, '');
}
