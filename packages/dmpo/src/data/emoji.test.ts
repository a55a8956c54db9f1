// The emoji as images: complete, on white, in their colours, distinguishable.
import { describe, expect, it } from 'vitest';
import { emojiImages, emojiPrompts, emojiStyles } from './emoji.js';
import { preferStyle } from './preference-set.js';

const images = await emojiImages();

function meanSquaredDistance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + (value - (b[index] ?? 0)) ** 2, 0) / a.length;
}

describe('emojiImages', () => {
  it('draws every prompt in every style, styles within prompts', () => {
    expect(images).toMatchObject({ length: 120, shape: [32, 32, 3] });
    expect(new Set(emojiPrompts).size).toBe(40);
    expect(images.nameOf(0)).toBe('red-apple (noto)');
    expect(images.nameOf(119)).toBe('trophy (high-contrast)');
  });

  it('puts each on white and uses the whole range of values', () => {
    for (let index = 0; index < images.length; index++) {
      const pixels = images.image(index);
      expect(Math.max(...pixels), images.nameOf(index)).toBe(1);
      expect(Math.min(...pixels), images.nameOf(index)).toBeLessThan(-0.3);
      const corners = [0, 31, 31 * 32, 31 * 33].map((pixel) => pixels[pixel * 3] ?? 0);
      expect(corners.filter((value) => value > 0.99).length, images.nameOf(index)).toBeGreaterThanOrEqual(2);
    }
  });

  it('draws the high-contrast style in shades of grey and the others in colour', () => {
    for (let index = 0; index < images.length; index++) {
      const pixels = images.image(index);
      let colour = 0;
      for (let i = 0; i < pixels.length; i += 3) colour += Math.abs((pixels[i] ?? 0) - (pixels[i + 2] ?? 0));
      if (images.styles[index] === 'high-contrast') expect(colour).toBe(0);
      else expect(colour).toBeGreaterThan(10);
    }
  });

  it('gives no two images that could be taken for each other', () => {
    for (let a = 0; a < images.length; a++) {
      for (let b = 0; b < a; b++) {
        expect(meanSquaredDistance(images.image(a), images.image(b))).toBeGreaterThan(0.05);
      }
    }
  });

  it('scales to other sizes', async () => {
    expect(await emojiImages({ size: 8 })).toMatchObject({ length: 120, shape: [8, 8, 3] });
  });

  it('gives 80 pairs when one style is preferred', () => {
    const preferences = preferStyle(images, 'noto');
    expect(preferences.length).toBe(80);
    expect(preferences.nameOf(1)).toBe('red-apple (noto > high-contrast)');
    expect(preferences.preferredImages().length).toBe(40);
    expect(emojiStyles).toContain('noto');
  });
});
