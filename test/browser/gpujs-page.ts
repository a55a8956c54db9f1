/** What the page of the gpujs tests can do: compute in WebGL2, and the same on other devices. Tests call `window.gpujs`. */

import { type DeviceName, DmpoError, openDevice, tensor } from '@dmpo/core';
import { operationError, operationNames } from './operations.js';
import { tinyTraining } from './tiny-training.js';

const programs = {
  operationNames,

  errorOf: (name: string) => operationError(name, 'gpujs'),

  async description(): Promise<string> {
    const device = await openDevice('gpujs');
    await device.close();
    return device.description;
  },

  train: (device: DeviceName) => tinyTraining(device),

  /** The error of allocating a buffer of so many elements. */
  async allocate(elements: number) {
    const device = await openDevice('gpujs');
    const failure = await failureOf(async () => device.allocate(4 * elements));
    await device.close();
    return failure;
  },

  /** What is computed before the browser takes the OpenGL context away, and the errors of what is asked for afterwards. */
  async loseContext() {
    const contexts = recordContexts();
    const device = await openDevice('gpujs');
    const x = tensor(Float32Array.of(1, 2, 3), [3]);
    const before = Array.from(await x.mul(2).data());
    for (const context of contexts.recorded) context.getExtension('WEBGL_lose_context')?.loseContext();
    const failures = [await failureOf(() => x.mul(2).data()), await failureOf(() => device.finish())];
    contexts.stop();
    await device.close();
    return { before, failures };
  },
};

declare global {
  interface Window {
    gpujs: typeof programs;
  }
}
window.gpujs = programs;

async function failureOf(attempt: () => Promise<unknown>) {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return error instanceof DmpoError
      ? { code: error.code, message: error.message }
      : { code: String(error) };
  }
}

/** WebGL contexts that are made from now on. */
function recordContexts() {
  const recorded: WebGL2RenderingContext[] = [];
  const canvas = HTMLCanvasElement.prototype;
  const { getContext } = canvas;
  canvas.getContext = function (this: HTMLCanvasElement, ...settings: unknown[]) {
    const context = Reflect.apply(getContext, this, settings);
    if (context instanceof WebGL2RenderingContext) recorded.push(context);
    return context;
  };
  return {
    recorded,
    stop() {
      canvas.getContext = getContext;
    },
  };
}
