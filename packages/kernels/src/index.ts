/** Kernels and the devices that run them. */

export * from './contract.js';
export { openDevice } from './open-device.js';
