/** What the tests' page can do. Bundled for the browser; tests call `window.programs`. */

import { type DeviceName, openDevice, tensor } from '@dmpo/core';
import { alignEmoji, type EmojiRunInput, PICTURES } from './emoji-run.js';
import { operationError, operationNames } from './operations.js';

/** Screen pixels for each pixel of a picture. */
const ZOOM = 4;

const programs = {
  /** How the page sees its surroundings. */
  async surroundings() {
    const adapter = await navigator.gpu?.requestAdapter();
    return { isIsolated: crossOriginIsolated, adapter: adapter?.info.architecture };
  },

  /** a [2, 3] times b [3, 2], and the device that computed it. */
  async multiply(name: DeviceName, a: readonly number[], b: readonly number[]) {
    const device = await openDevice(name);
    const product = tensor(Float32Array.from(a), [2, 3]).matmul(tensor(Float32Array.from(b), [3, 2]));
    const numbers = Array.from(await product.data());
    const { description } = device;
    await device.close();
    return { numbers, description };
  },

  operationNames,
  operationError,

  /** Runs what `emoji.json` and the files beside it describe, and shows the pictures on a canvas. */
  async alignEmoji(device: DeviceName) {
    const [description, weights, pixels] = await Promise.all([
      fetch('emoji.json').then((response) => response.json()),
      fetch('weights.safetensors').then((response) => response.arrayBuffer()),
      fetch('pixels.f32').then((response) => response.arrayBuffer()),
    ]);
    const input: EmojiRunInput = {
      ...description,
      device,
      weights: new Uint8Array(weights),
      pixels: new Float32Array(pixels),
    };
    const { samples, ...result } = await alignEmoji(input);
    document.body.append(drawing(samples, input.size));
    return result;
  },
};

declare global {
  interface Window {
    programs: typeof programs;
  }
}
window.programs = programs;

/** Pictures side by side. */
function drawing(samples: Float32Array, size: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = PICTURES.length * size;
  canvas.height = size;
  canvas.style.cssText = `width: ${ZOOM * canvas.width}px; image-rendering: pixelated`;
  const context = canvas.getContext('2d');
  for (const picture of PICTURES.keys()) {
    const data = new ImageData(size, size);
    for (let pixel = 0; pixel < size * size; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = samples[3 * (picture * size * size + pixel) + channel] ?? Number.NaN;
        data.data[4 * pixel + channel] = Math.round(127.5 * (value + 1));
      }
      data.data[4 * pixel + 3] = 255;
    }
    context?.putImageData(data, picture * size, 0);
  }
  return canvas;
}
