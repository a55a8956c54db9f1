/** Milliseconds of one kernel on a device, its buffers resident and its outputs its own. */

import { type Device, sampleCommand } from '@dmpo/kernels';
import { summarize } from '../statistics.js';
import { inPlaceBuffers, type Shape } from './shapes.js';

const ROUNDS = 7;
const MILLISECONDS_PER_ROUND = 60;

/** The median of rounds that each submit the kernel as often as fills the time, and wait once. */
export async function timeKernel(device: Device, shape: Shape): Promise<number> {
  const sample = sampleCommand(device, shape.kernel, inPlaceBuffers(shape));
  const timed = async (repetitions: number) => {
    const start = performance.now();
    device.submit(new Array(repetitions).fill(sample.command));
    await device.finish();
    return (performance.now() - start) / repetitions;
  };
  try {
    await timed(1);
    const repetitions = Math.max(1, Math.min(2000, Math.floor(MILLISECONDS_PER_ROUND / (await timed(2)))));
    const milliseconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) milliseconds.push(await timed(repetitions));
    return summarize(milliseconds).median;
  } finally {
    sample.free();
  }
}
