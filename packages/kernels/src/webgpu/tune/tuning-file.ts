/** Measured choices of tiles as text: JSON, one entry for each adapter, WebGPU implementation and version of the kernels. */

/** The name of a tile by the class of a shape. */
export type TunedTiles = ReadonlyMap<string, string>;

/** Where the text is kept. Neither function throws: what cannot be read is absent. */
export interface TuningStorage {
  load(): Promise<string | undefined>;
  /** Returns where it was written, for people; undefined if it could not be. */
  save(text: string): Promise<string | undefined>;
}

/** The choices stored under a key; none for a text that is no such file. */
export function parseTuning(text: string | undefined, key: string): TunedTiles {
  return new Map(Object.entries(entries(text)[key] ?? {}));
}

/** The text with the choices under the key added, or put in place of those that were there for the same shapes. */
export function withTuning(text: string | undefined, key: string, tiles: TunedTiles): string {
  const all = entries(text);
  const merged = { ...all[key], ...Object.fromEntries(tiles) };
  return `${JSON.stringify({ ...all, [key]: merged }, null, 2)}\n`;
}

function entries(text: string | undefined): Record<string, Record<string, string>> {
  if (text === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isRecord(parsed)) return {};
    return Object.fromEntries(
      Object.entries(parsed).flatMap(([key, tiles]) => {
        if (!isRecord(tiles)) return [];
        const strings = Object.entries(tiles).filter(
          (pair): pair is [string, string] => typeof pair[1] === 'string',
        );
        return [[key, Object.fromEntries(strings)]];
      }),
    );
  } catch {
    return {};
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
