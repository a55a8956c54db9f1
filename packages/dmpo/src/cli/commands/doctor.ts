/** `dmpo doctor`: what this machine computes with, how fast, why other devices are not used, and what to do about it. */

import { availableParallelism, cpus, totalmem } from 'node:os';
import { type Device, type DeviceName, DmpoError, Generator, openDevice, realize } from '@dmpo/core';
import type * as z from 'zod';
import type { doctorSettings } from '../settings.js';
import type { Terminal } from '../terminal.js';

interface DeviceDiagnosis {
  readonly name: string;
  readonly available: boolean;
  /** What it is, or why it is not used. */
  readonly description: string;
  /** What to do where it is not available. */
  readonly fix?: string;
  /** 10^9 floating-point operations a second, multiplying 512x512 matrices. */
  readonly gigaflops?: number;
}

/** A slow device is not asked to prove it. */
const measured: readonly DeviceName[] = ['cpu', 'webgpu'];

export async function doctor({ device }: z.output<typeof doctorSettings>, terminal: Terminal): Promise<void> {
  const names: DeviceName[] = device === 'auto' ? ['webgpu', 'cpu', 'gpujs', 'reference'] : [device];
  const devices: DeviceDiagnosis[] = [];
  for (const name of names) devices.push(await diagnose(name));
  const auto = await openDevice('auto');
  await auto.close();
  const machine = {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
    sharedMemory: typeof SharedArrayBuffer !== 'undefined',
  };
  terminal.result(
    { machine, devices, auto: auto.name },
    [
      `Node.js ${machine.node} on ${machine.platform}`,
      `${machine.processor}, ${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'}, ${machine.memoryGiB} GiB of memory`,
      `memory shared between threads: ${machine.sharedMemory ? 'yes' : 'no, so the cpu device uses one thread'}`,
      '',
      ...devices.map(deviceText),
      '',
      `"auto" takes ${auto.name}: ${auto.description}`,
    ].join('\n'),
  );
}

async function diagnose(name: DeviceName): Promise<DeviceDiagnosis> {
  let device: Device;
  try {
    device = await openDevice(name);
  } catch (error) {
    if (!(error instanceof DmpoError)) throw error;
    return { name, available: false, description: error.problem, fix: error.fix };
  }
  const { description } = device;
  const speed = measured.includes(name) ? { gigaflops: Math.round(await matmulSpeed()) } : {};
  await device.close();
  return { name, available: true, description, ...speed };
}

/** On the current device. */
async function matmulSpeed(): Promise<number> {
  const size = 512;
  const random = new Generator(0);
  using a = random.normal([size, size]);
  using b = random.normal([size, size]);
  realize(a, b);
  const once = async () => {
    using product = a.matmul(b).sum();
    await product.data();
  };
  await once();
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < 300) {
    await once();
    runs++;
  }
  return (runs * 2 * size ** 3) / ((performance.now() - start) * 1e6);
}

function deviceText({ name, available, description, fix, gigaflops }: DeviceDiagnosis): string {
  const speed = gigaflops === undefined ? '' : `; ${gigaflops} GFLOP/s`;
  return available
    ? `  ✓ ${name.padEnd(10)} ${description}${speed}`
    : `  ✗ ${name.padEnd(10)} ${description}\n    ${''.padEnd(10)} ${fix}`;
}
