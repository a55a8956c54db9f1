/** From a picture of any size to the numbers a model reads, and back. Node only. */

import type { Sharp } from 'sharp';

/** RGB on white, scaled and centre-cropped to `size` x `size`, as values in [-1, 1]. */
export async function pixelsOf(picture: Sharp, size: number): Promise<Float32Array> {
  const bytes = await picture
    .autoOrient()
    .flatten({ background: 'white' })
    .resize(size, size, { fit: 'cover', kernel: 'lanczos3' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer();
  return Float32Array.from(bytes, (value) => value / 127.5 - 1);
}

/** Values in [-1, 1] as bytes; values outside are clamped. */
export function bytesOf(pixels: Float32Array): Uint8ClampedArray {
  return Uint8ClampedArray.from(pixels, (value) => Math.round((value + 1) * 127.5));
}
