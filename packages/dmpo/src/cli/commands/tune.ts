/** `dmpo tune`: measures which tiles this machine's GPU likes best for a model, and has every later run take them. */

import { DmpoError, type Profile, profile } from '@dmpo/core';
import { openDeviceInTerminal } from '../device.js';
import { clock } from '../progress.js';
import type { TuneSettings } from '../settings.js';
import type { Terminal } from '../terminal.js';
import { typicalStep } from '../typical-step.js';

export async function tune(settings: TuneSettings, terminal: Terminal): Promise<void> {
  const device = await openDeviceInTerminal(settings.device, terminal);
  if (device.tune === undefined)
    throw new DmpoError(
      'UNSUPPORTED',
      `The ${device.name} device has nothing to tune.`,
      "Tune the device 'webgpu'; `dmpo doctor` says whether this machine has it.",
    );
  terminal.note(`device: ${device.name}, ${device.description}`);
  const step = await typicalStep(settings);
  const progress = terminal.progress('tuning');
  progress.update(0, 'collecting kernels');
  const { commands } = await profile(step);
  const start = performance.now();
  const report = await device.tune(mostExpensive(commands, settings.share), (done, total) => {
    const secondsLeft = ((performance.now() - start) / 1000 / Math.max(done, 1)) * (total - done);
    progress.update(
      done / Math.max(total, 1),
      `${done}/${total} shapes${done > 0 ? `  ${clock(secondsLeft)} left` : ''}`,
    );
  });
  progress.end();
  await device.close();
  const { shapes, storedIn } = report;
  const faster = shapes.filter(({ speedup }) => speedup > 1);
  const lines = faster.map(({ title, tiles, chosen, speedup }) => {
    return `  ${title}: ${chosen} in place of ${tiles[0]?.name}, ${speedup.toFixed(2)} times as fast`;
  });
  const refused = shapes.flatMap(({ title, tiles }) =>
    tiles.flatMap(({ name, refusal }) =>
      refusal === undefined ? [] : [`  ${title}: ${name} refused, ${refusal}`],
    ),
  );
  terminal.result(
    report,
    [
      `${faster.length} of ${shapes.length} classes of shapes have a faster tile than the one taken without measuring.`,
      ...lines,
      ...refused,
      storedIn === undefined
        ? 'The choices could not be stored: set DMPO_TUNING_FILE to a file that can be written.'
        : `Stored in ${storedIn}: the device takes them from now on.`,
    ].join('\n'),
  );
}

type Timed = Profile['commands'][number];

/** The kernels that take at least this share of the time together, the most expensive first. */
function mostExpensive(commands: Profile['commands'], share: number): Timed['kernel'][] {
  const time = ({ parts }: Timed) => parts.reduce((sum, { begin, end }) => sum + (end - begin), 0);
  const timed = commands.map((command) => ({ kernel: command.kernel, microseconds: time(command) }));
  const total = timed.reduce((sum, { microseconds }) => sum + microseconds, 0);
  let before = 0;
  return timed
    .sort((one, other) => other.microseconds - one.microseconds)
    .filter(({ microseconds }) => {
      const isNeeded = before < share * total;
      before += microseconds;
      return isNeeded;
    })
    .map(({ kernel }) => kernel);
}
