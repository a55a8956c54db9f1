/** Gives Node the `navigator.gpu` that libraries written for browsers look for: Dawn, as our own device uses it. */

import { create, globals } from 'webgpu';

/** Must be called before such a library is loaded. Returns what to call the adapter. */
export async function installNavigatorGpu(): Promise<string> {
  const gpu = create([]);
  Object.assign(globalThis, globals);
  // Node 21 and later have a navigator of their own, which is read-only.
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu, userAgent: 'Node.js' },
    configurable: true,
  });
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn finds no adapter.');
  return adapter.info.description || adapter.info.architecture || adapter.info.vendor;
}
