/** Entry for browsers. */

import { browserHost } from './cpu/workers.browser.js';
import { deviceOpener, type OpenDevice } from './open-device.js';

export * from './contract.js';

/** Opens a device. 'auto' takes the fastest there is. Throws `DEVICE_UNAVAILABLE`, saying why and what can be used instead. */
export const openDevice: OpenDevice = deviceOpener(browserHost, () => undefined);
