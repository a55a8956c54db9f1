/** Entry for Node. */

import { nodeHost } from './cpu/workers.node.js';
import { deviceOpener, type OpenDevice } from './open-device.js';

export * from './contract.js';

/**
 * Opens a device. 'auto' takes the one that the environment variable DMPO_DEVICE names, otherwise the fastest there is.
 * Throws `DEVICE_UNAVAILABLE`, saying why and what can be used instead.
 */
export const openDevice: OpenDevice = deviceOpener(nodeHost, () => process.env.DMPO_DEVICE);
