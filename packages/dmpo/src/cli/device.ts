/** Opens the device that a command computes on, and shows how far its kernels are compiled. */

import { type Device, type DeviceName, openDevice } from '@dmpo/core';
import type { Progress } from './progress.js';
import type { Terminal } from './terminal.js';

/** Fewer are compiled before anybody wonders. */
const WORTH_SHOWING = 8;

export function openDeviceInTerminal(name: DeviceName, terminal: Terminal): Promise<Device> {
  let progress: Progress | undefined;
  return openDevice(name, {
    onCompile(done, total) {
      if (total < WORTH_SHOWING) return;
      progress ??= terminal.progress('compiling');
      progress.update(done / total, `${done}/${total} kernels`);
      if (done < total) return;
      progress.end();
      progress = undefined;
    },
  });
}
