// The built packages in a real browser: a page trains the emoji model, gets Node's numbers, and shows the pictures.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emojiImages } from '@dmpo/dmpo/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePage } from './browser/bundle.js';
import { type BrowserPage, openBrowserPage } from './browser/chromium.js';
import { alignEmoji, type EmojiRunInput, type EmojiRunResult, PICTURES, STEPS } from './browser/emoji-run.js';

/** Devices that a page can open, and what they say of themselves there. */
const devices = [
  ['cpu', /\d threads?, WebAssembly/],
  ['webgpu', /swiftshader/],
] as const;

const asset = (name: string) => new URL(`../packages/dmpo/assets/emoji-base/${name}`, import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(asset(name), 'utf8'));

let browser: BrowserPage;
let input: Omit<EmojiRunInput, 'device'>;
let expected: EmojiRunResult;

beforeAll(async () => {
  const { pixels, prompts, labels, styles, shape } = await emojiImages();
  const description = {
    modelConfig: json('config.json'),
    schedulerConfig: json('scheduler_config.json'),
    size: shape[0],
    prompts,
    labels,
    styles,
  };
  input = { ...description, pixels, weights: readFileSync(asset('model.safetensors')) };
  browser = await openBrowserPage(
    new Map<string, string | Uint8Array>([
      ['index.html', '<!doctype html><title>dmpo</title><script type="module" src="page.js"></script>'],
      ['page.js', await bundlePage(new URL('browser/page.ts', import.meta.url))],
      ['emoji.json', JSON.stringify(description)],
      ['weights.safetensors', input.weights],
      ['pixels.f32', new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)],
    ]),
  );
  expected = await alignEmoji({ ...input, device: 'cpu' });
}, 300_000);

afterAll(() => browser?.close());

describe('a page in a browser', () => {
  it('is isolated and has a WebGPU adapter', async () => {
    expect(await browser.page.evaluate(() => window.programs.surroundings())).toEqual({
      isIsolated: true,
      adapter: 'swiftshader',
    });
  });

  describe.each(devices)('on %s', (device, saying) => {
    it('multiplies matrices', async () => {
      const { numbers, description } = await browser.page.evaluate(
        (name) => window.programs.multiply(name, [1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]),
        device,
      );
      expect(numbers).toEqual([58, 64, 139, 154]);
      expect(description).toMatch(saying);
    });

    it('computes every kind of kernel and its gradients as in float64, but for roundings', async () => {
      const names = await browser.page.evaluate(() => window.programs.operationNames);
      expect(names.length).toBeGreaterThan(10);
      for (const operation of names) {
        const error = await browser.page.evaluate(([one, on]) => window.programs.operationError(one, on), [
          operation,
          device,
        ] as const);
        expect(error, operation).toBeLessThan(1e-5);
      }
    });

    it("trains ten emoji steps with Node's losses, and draws Node's pictures", async () => {
      const { steps } = await browser.page.evaluate((name) => window.programs.alignEmoji(name), device);
      expect(steps).toHaveLength(STEPS);
      for (const [index, metrics] of steps.entries())
        for (const name of ['loss', 'denoisingError'])
          expect(
            relativeDifference(metrics[name], expected.steps[index]?.[name]),
            `${name} ${index}`,
          ).toBeLessThan(1e-4);
      // The losses say something only if training changed them.
      expect(new Set(steps.map(({ loss }) => loss)).size).toBe(STEPS);

      const file = join(mkdtempSync(join(tmpdir(), 'dmpo-browser-')), `${device}.png`);
      await browser.page.locator('canvas').last().screenshot({ path: file });
      console.log(`Pictures of the page: ${file}`);
      const size = input.size;
      const shown = await sharp(file)
        .removeAlpha()
        .resize(PICTURES.length * size, size, { kernel: 'nearest' })
        .raw()
        .toBuffer();
      const wanted = picturesInARow(expected.samples, size);
      expect(shown).toHaveLength(wanted.length);
      expect(rootMeanSquare(wanted.map((value) => value - 127.5))).toBeGreaterThan(40);
      expect(rootMeanSquare(wanted.map((value, i) => value - (shown[i] ?? Number.NaN)))).toBeLessThan(2);
      expect(browser.messages).toEqual([]);
      // A software adapter compiles for most of this time.
    }, 300_000);
  });
});

/** Samples side by side, as bytes. */
function picturesInARow(samples: Float32Array, size: number): number[] {
  return Array.from({ length: samples.length }, (_, i) => {
    const [row, column, channel] = [
      Math.floor(i / (3 * size * PICTURES.length)),
      Math.floor(i / 3) % (size * PICTURES.length),
      i % 3,
    ];
    const picture = Math.floor(column / size);
    const value = samples[3 * ((picture * size + row) * size + (column % size)) + channel] ?? Number.NaN;
    return Math.round(127.5 * (value + 1));
  });
}

function relativeDifference(actual = Number.NaN, wanted = Number.NaN): number {
  return Math.abs(actual - wanted) / Math.abs(wanted);
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
