// webgpu in a real browser, kernel by kernel against the reference, and a UNet against diffusers.
import { readFileSync } from 'node:fs';
import { type Kernel, pointwiseOps } from '@dmpo/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePage } from './browser/bundle.js';
import { type BrowserPage, openBrowserPage } from './browser/chromium.js';
import { fixtureFile } from './oracles/fixture.js';

/** How many kernels of each kind are run at least, in several sizes and with every epilogue. */
const leastKernels: Record<Kernel['kind'], number> = {
  map: 3,
  reduce: 30,
  matmul: 60,
  conv2d: 9,
  conv2dInputGrad: 9,
  conv2dFilterGrad: 4,
  groupNorm: 4,
  groupNormGrad: 4,
  layerNorm: 2,
  layerNormGrad: 2,
  attention: 4,
  attentionGrad: 4,
  softmax: 2,
  gather: 2,
  gatherGrad: 2,
};

let browser: BrowserPage;

beforeAll(async () => {
  browser = await openBrowserPage(
    new Map<string, string | Uint8Array>([
      ['index.html', '<!doctype html><title>dmpo</title><script type="module" src="page.js"></script>'],
      ['page.js', await bundlePage(new URL('browser/kernels-page.ts', import.meta.url))],
      ['unet2d-class.safetensors', readFileSync(fixtureFile('unet2d-class'))],
    ]),
  );
}, 300_000);

afterAll(() => browser?.close());

describe('webgpu in a page in a browser', () => {
  it('computes what the reference does, in every kind of kernel, and the same bits twice', async () => {
    const { ran, failures } = await browser.page.evaluate(() => window.kernels.compareKernels());
    expect(failures).toEqual([]);
    for (const [kind, least] of Object.entries(leastKernels))
      expect(countStarting(ran, `${kind} `), kind).toBeGreaterThanOrEqual(least);
    expect(countStarting(ran, 'float16 ')).toBeGreaterThan(20);
  });

  it('computes every pointwise operation', async () => {
    const { ran, failures } = await browser.page.evaluate(() => window.kernels.pointwiseOperations());
    expect(failures).toEqual([]);
    expect(ran).toEqual(pointwiseOps);
  });

  it('draws the same random numbers to the bit', async () => {
    const { ran, failures } = await browser.page.evaluate(() => window.kernels.randomFunctions());
    expect(failures).toEqual([]);
    expect(ran).toEqual(['randomBits', 'randomUniform', 'randomNormal']);
  });

  it("predicts what diffusers' UNet predicts, with the same loss and gradients", async () => {
    const errors = await browser.page.evaluate(() => window.kernels.unetErrors());
    const { output, loss, sample, parameters, keyBiases } = errors;
    expect(Math.max(output, loss, sample)).toBeLessThan(1e-4);
    expect(parameters.filter(([, error]) => !(error < 1e-4))).toEqual([]);
    expect(keyBiases.filter(([, error]) => !(error < 1e-5))).toEqual([]);
    expect(parameters.length).toBeGreaterThan(50);
    expect(keyBiases.length).toBeGreaterThan(0);
    expect(browser.messages).toEqual([]);
  });
});

function countStarting(titles: readonly string[], beginning: string): number {
  return titles.filter((title) => title.startsWith(beginning)).length;
}
