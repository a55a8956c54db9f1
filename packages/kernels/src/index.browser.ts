/** Kernels and the devices that run them: the entry for browsers. */

export * from './contract.js';
export { openDevice } from './open-device.js';
