/** 40 emoji, each drawn in three art styles: the real images of the main job. Rasterised from npm packages; Node only. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { DmpoError } from '@dmpo/core';
import sharp from 'sharp';
import { ImageSet } from './image-set.js';
import { pixelsOf } from './pixels.js';

/** What the emoji show, by the name that all three sets use. The index is the class label. */
export const emojiPrompts = [
  ...[
    'red-apple',
    'banana',
    'cherries',
    'grapes',
    'strawberry',
    'pear',
    'pineapple',
    'watermelon',
    'avocado',
    'carrot',
  ],
  ...[
    'cat-face',
    'dog-face',
    'turtle',
    'fox',
    'frog',
    'penguin',
    'octopus',
    'crab',
    'butterfly',
    'lady-beetle',
  ],
  ...['automobile', 'bus', 'airplane', 'rocket', 'sailboat', 'locomotive', 'helicopter', 'tractor'],
  ...[
    'umbrella',
    'wrapped-gift',
    'light-bulb',
    'bell',
    'guitar',
    'alarm-clock',
    'house',
    'cactus',
    'sunflower',
  ],
  ...['hamburger', 'crown', 'trophy'],
] as const;

/** The styles and the packages that hold them. */
const packages = {
  noto: '@iconify-json/noto',
  flat: '@iconify-json/fluent-emoji-flat',
  'high-contrast': '@iconify-json/fluent-emoji-high-contrast',
} as const;

export type EmojiStyle = keyof typeof packages;

export const emojiStyles = Object.keys(packages) as EmojiStyle[];

/**
 * The emoji as `size` x `size` RGB images on white, styles within prompts: image 3 * p + s is prompt p in style s.
 * @throws `MISSING_DATA` when a package lacks a prompt.
 */
export async function emojiImages({ size = 32 } = {}): Promise<ImageSet> {
  const collections = await Promise.all(emojiStyles.map((style) => readCollection(packages[style])));
  const drawings = await Promise.all(
    emojiPrompts.flatMap((prompt) =>
      collections.map((collection) => pixelsOf(sharp(Buffer.from(svgOf(collection, prompt))), size)),
    ),
  );
  const pixels = new Float32Array(drawings.length * size * size * 3);
  for (const [index, drawing] of drawings.entries()) pixels.set(drawing, index * drawing.length);
  return new ImageSet({
    pixels,
    shape: [size, size, 3],
    prompts: emojiPrompts,
    labels: drawings.map((_, index) => Math.floor(index / emojiStyles.length)),
    styles: emojiPrompts.flatMap(() => emojiStyles),
  });
}

/** A collection in the format of the Iconify project: SVG bodies, their view boxes, and other names for them. */
interface IconCollection {
  readonly prefix: string;
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<Record<string, Icon>>;
  readonly aliases?: Readonly<Record<string, Partial<Icon> & { readonly parent: string }>>;
}

interface Icon {
  readonly body: string;
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}

async function readCollection(name: string): Promise<IconCollection> {
  const path = createRequire(import.meta.url).resolve(`${name}/icons.json`);
  return JSON.parse(await readFile(path, 'utf8')) as IconCollection;
}

/** The drawing as an SVG document several times larger than needed, so that scaling down averages its edges. */
function svgOf(collection: IconCollection, name: string): string {
  const {
    body,
    left = 0,
    top = 0,
    width = collection.width,
    height = collection.height,
  } = resolve(collection, name);
  const viewBox = `${left} ${top} ${width ?? 16} ${height ?? 16}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${viewBox}" width="256" height="256" color="black">${body}</svg>`;
}

function resolve(collection: IconCollection, name: string): Icon {
  const icon = collection.icons[name];
  if (icon !== undefined) return icon;
  const alias = collection.aliases?.[name];
  if (alias === undefined) {
    throw new DmpoError(
      'MISSING_DATA',
      `The emoji set "${collection.prefix}" has no "${name}".`,
      'Install the versions of the emoji packages that the lockfile names.',
    );
  }
  return { ...resolve(collection, alias.parent), ...alias };
}
