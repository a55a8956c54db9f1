/** Samples as PNG files. Node only. */

import sharp from 'sharp';
import { bytesOf } from '../data/pixels.js';

export interface ImageGridOptions {
  /** Height and width of each RGB image. */
  readonly size: number;
  readonly columns: number;
  /** Pixels on the screen for each pixel of an image. Default 3. */
  readonly scale?: number;
  /** White pixels between images, before scaling. Default 2. */
  readonly gap?: number;
}

/** RGB images [count, size, size, 3] with values in [-1, 1], row by row in one PNG on white. */
export async function imageGrid(
  images: Float32Array,
  { size, columns, scale = 3, gap = 2 }: ImageGridOptions,
): Promise<Buffer> {
  const imageSize = size * size * 3;
  const count = images.length / imageSize;
  const rows = Math.ceil(count / columns);
  const width = columns * (size + gap) - gap;
  const height = rows * (size + gap) - gap;
  const canvas = new Uint8ClampedArray(width * height * 3).fill(255);
  for (let index = 0; index < count; index++) {
    const bytes = bytesOf(images.subarray(index * imageSize, (index + 1) * imageSize));
    const left = (index % columns) * (size + gap);
    const top = Math.floor(index / columns) * (size + gap);
    for (let row = 0; row < size; row++) {
      canvas.set(bytes.subarray(row * size * 3, (row + 1) * size * 3), ((top + row) * width + left) * 3);
    }
  }
  return sharp(canvas, { raw: { width, height, channels: 3 } })
    .resize(width * scale, height * scale, { kernel: 'nearest' })
    .png({ palette: false, compressionLevel: 9 })
    .toBuffer();
}

/** Two PNG files of equal height side by side, with a white band between them. */
export async function sideBySide(left: Buffer, right: Buffer, band = 36): Promise<Buffer> {
  const [{ width: leftWidth = 0, height = 0 }, { width: rightWidth = 0 }] = await Promise.all([
    sharp(left).metadata(),
    sharp(right).metadata(),
  ]);
  return sharp({ create: { width: leftWidth + band + rightWidth, height, channels: 3, background: 'white' } })
    .composite([
      { input: left, left: 0, top: 0 },
      { input: right, left: leftWidth + band, top: 0 },
    ])
    .png({ compressionLevel: 9 })
    .toBuffer();
}
