/** `dmpo profile`: where the time of a training step and a denoising step goes, kernel by kernel. */

import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { profile } from '@dmpo/core';
import { openOutputFolder } from '../../output-folder.js';
import { openDeviceInTerminal } from '../device.js';
import type { ProfileSettings } from '../settings.js';
import type { Terminal } from '../terminal.js';
import { typicalStep } from '../typical-step.js';

export async function profileCommand(settings: ProfileSettings, terminal: Terminal): Promise<void> {
  const { trace } = settings;
  if (trace !== undefined) await openOutputFolder(dirname(trace));
  const device = await openDeviceInTerminal(settings.device, terminal);
  terminal.note(`device: ${device.name}, ${device.description}`);
  const step = await typicalStep(settings);
  terminal.note('once to compile the kernels, and once to measure them');
  await step();
  const measured = await profile(step);
  if (trace !== undefined) await writeFile(trace, measured.chromeTrace());
  const { rows, kernelMicroseconds, wallMicroseconds } = measured;
  const hint = trace === undefined ? '' : `\n${trace} opens in ui.perfetto.dev and chrome://tracing`;
  terminal.result(
    { device: device.name, kernelMicroseconds, wallMicroseconds, rows, ...(trace && { trace }) },
    `${measured.table()}${hint}`,
  );
  await device.close();
}
