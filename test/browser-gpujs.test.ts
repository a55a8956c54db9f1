// The gpujs device in a real browser, in WebGL2: every kind of kernel, gradients, training, its limits, and a lost context.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePage } from './browser/bundle.js';
import { type BrowserPage, openBrowserPage } from './browser/chromium.js';
import { tinyTraining } from './browser/tiny-training.js';

let browser: BrowserPage;

beforeAll(async () => {
  // Minified, as users' pages are: what is left of functions is no longer what gpu.js understands.
  const page = await bundlePage(new URL('browser/gpujs-page.ts', import.meta.url), { minify: true });
  browser = await openBrowserPage(
    new Map([
      ['index.html', '<!doctype html><title>gpu.js</title><script type="module" src="page.js"></script>'],
      ['page.js', page],
    ]),
  );
}, 300_000);

afterAll(() => browser?.close());

describe('gpujs in a page in a browser', () => {
  it('takes WebGL2', async () => {
    expect(await browser.page.evaluate(() => window.gpujs.description())).toBe('gpu.js, WebGL2');
  });

  it('computes every kind of kernel and its gradients as in float64, but for roundings', async () => {
    const names = await browser.page.evaluate(() => window.gpujs.operationNames);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names)
      expect(await browser.page.evaluate((one) => window.gpujs.errorOf(one), name), name).toBeLessThan(1e-5);
  });

  it("trains a tiny model with Node's losses", async () => {
    const expected = await tinyTraining('cpu');
    const actual = await browser.page.evaluate(() => window.gpujs.train('gpujs'));
    expect(actual).toHaveLength(expected.length);
    // The second loss says that the first step changed the weights.
    expect(Math.abs(Number(expected[1]) - Number(expected[0]))).toBeGreaterThan(1e-2);
    actual.forEach((loss, step) => {
      expect(Math.abs(loss / Number(expected[step]) - 1)).toBeLessThan(1e-4);
    });
  }, 300_000);

  it('refuses a buffer whose elements float32 cannot count', async () => {
    expect(await browser.page.evaluate(() => window.gpujs.allocate(2 ** 24))).toBeUndefined();
    expect(await browser.page.evaluate(() => window.gpujs.allocate(2 ** 24 + 1))).toMatchObject({
      code: 'BUFFER_TOO_LARGE',
      message: expect.stringContaining("gpujsMode: 'webasm'"),
    });
  });

  it('refuses everything when the browser has taken the context away, where OpenGL would give zeros', async () => {
    const { before, failures } = await browser.page.evaluate(() => window.gpujs.loseContext());
    expect(before).toEqual([2, 4, 6]);
    expect(failures.map((failure) => failure?.code)).toEqual(['DEVICE_LOST', 'DEVICE_LOST']);
  });
});
