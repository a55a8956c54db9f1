/** `dmpo sample`: draws prompts with a model into a PNG file. */

import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DmpoError } from '@dmpo/core';
import { suggestName } from '../../nearest-name.js';
import { openOutputFolder } from '../../output-folder.js';
import { imageGrid } from '../../report/image-grid.js';
import { openDeviceInTerminal } from '../device.js';
import { drawingInTerminal } from '../drawing.js';
import { interruptible } from '../interruption.js';
import { loadModel } from '../model-source.js';
import type { SampleSettings } from '../settings.js';
import type { Terminal } from '../terminal.js';

export async function sampleCommand(settings: SampleSettings, terminal: Terminal): Promise<void> {
  await openOutputFolder(dirname(settings.output));
  const device = await openDeviceInTerminal(settings.device, terminal);
  const { model, scheduler, prompts } = await loadModel(settings.model);
  const chosen = settings.prompts.length > 0 ? settings.prompts : prompts;
  const labels = chosen.flatMap((prompt) => Array<number>(settings.count).fill(labelOf(prompt, prompts)));
  const { output } = settings;
  terminal.note(`device: ${device.name}, ${device.description}`);

  await interruptible(
    (line) => terminal.note(line),
    async (signal) => {
      const samples = await drawingInTerminal(
        terminal,
        scheduler,
        settings,
        signal,
      )('sampling', model, labels);
      const size = Math.sqrt(samples.length / labels.length / 3);
      await writeFile(output, await imageGrid(samples, { size, columns: settings.count }));
      terminal.result({ file: output, prompts: chosen }, output);
    },
  );
}

function labelOf(prompt: string, prompts: readonly string[]): number {
  const label = prompts.indexOf(prompt);
  if (label >= 0) return label;
  throw new DmpoError('UNKNOWN_PROMPT', `The model does not know "${prompt}".`, suggestName(prompt, prompts));
}
