/**
 * The GPU benchmark: what the adapter can do at most, each kernel as a share of that, the emoji training step, what a
 * dispatch costs the host, and PyTorch on the same GPU in the same run.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Device, kernelBytes, kernelFlops, openDevice } from '@dmpo/kernels';
import { create } from 'webgpu';
import { formatNumber } from '../results.js';
import { type Ceilings, measureCeilings } from './ceilings.js';
import { type Shape, shapes } from './shapes.js';
import { timeKernel } from './time-kernel.js';
import { measureTorch } from './torch.js';
import torchProgram from './torch-kernels.py';
import { timeTrainingStep } from './training-step.js';

const USAGE = `Measures every kernel on this machine's GPU beside what the GPU can do at most, and beside PyTorch.

  --only text      only shapes whose title contains the text
  --output file    also writes the results as JSON
`;

interface Row {
  readonly id: string;
  readonly title: string;
  readonly milliseconds: number;
  readonly gigaflops: number;
  readonly gigabytes: number;
  /** Of the ceiling that bounds the kernel, and what it means to reach. */
  readonly share?: number;
  readonly goal?: number;
  readonly torchMilliseconds?: number;
}

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    output: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(USAGE);
else await main();

async function main(): Promise<void> {
  const gpuDevice = await openGpu();
  const { vendor, architecture, device: name, description } = gpuDevice.adapterInfo;
  const adapter = [vendor, architecture, name, description].filter((text) => text !== '').join(', ');
  const device = await openDevice('webgpu', { gpuDevice });
  const isSoftware = /swiftshader|llvmpipe/i.test(adapter);
  console.log(`${adapter}\n${device.description}\n`);

  const ceilings = await measureCeilings(
    gpuDevice,
    isSoftware ? 2 ** 24 : 2 ** 27,
    isSoftware ? 2 ** 14 : 2 ** 22,
  );
  console.log(`multiply-adds in registers  ${formatNumber(ceilings.flops / 1e9)} GFLOP/s`);
  console.log(
    `copy of ${ceilings.copiedBytes / 2 ** 20} MiB${''.padEnd(13)} ${formatNumber(ceilings.bytes / 1e9)} GB/s\n`,
  );

  const chosen = shapes(['float32', 'float16'], isSoftware ? 4 : 1).filter(({ title }) =>
    title.includes(options.only ?? ''),
  );
  const torch = await measureTorch(torchProgram, chosen, () => {});
  console.log(`beside: ${torch.description}`);
  for (const failure of torch.failures) console.log(`  PyTorch failed: ${failure}`);

  const rows: Row[] = [];
  for (const shape of chosen) {
    const row = await measureShape(device, shape, ceilings, torch.milliseconds.get(shape.id));
    rows.push(row);
    console.log(rowText(row));
  }
  await device.close();
  gpuDevice.destroy();
  gpu = undefined;
  const trainingStep = await timeTrainingStep(isSoftware ? 4 : 32);
  const { title, milliseconds, dispatches, hostMicrosecondsPerDispatch } = trainingStep;
  console.log(
    `\n${title}: ${formatNumber(milliseconds)} ms; ${dispatches} dispatches, ${formatNumber(hostMicrosecondsPerDispatch)} microseconds of the host each`,
  );

  const missed = rows.filter(({ share, goal }) => share !== undefined && goal !== undefined && share < goal);
  console.log(`${rows.length - missed.length} of ${rows.length} kernels reach their goal.`);
  if (options.output !== undefined) {
    const results = {
      date: new Date().toISOString(),
      adapter,
      ceilings,
      torch: torch.description,
      rows,
      trainingStep,
    };
    writeFileSync(options.output, `${JSON.stringify(results, null, 2)}\n`);
  }
}

/** Dawn itself: a device must not outlive it, and it keeps Node alive. */
let gpu: GPU | undefined;

async function openGpu(): Promise<GPUDevice> {
  gpu = create(['enable-dawn-features=vulkan_enable_f16_on_nvidia']);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new Error(
      'WebGPU finds no adapter: install the driver and its Vulkan loader (Debian: libvulkan1).',
    );
  }
  const wanted: readonly GPUFeatureName[] = ['shader-f16', 'timestamp-query', 'subgroups'];
  return adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxBufferSize: adapter.limits.maxBufferSize,
      maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: adapter.limits.maxComputeWorkgroupSizeX,
    },
  });
}

async function measureShape(
  device: Device,
  shape: Shape,
  ceilings: Ceilings,
  torchMilliseconds: number | undefined,
): Promise<Row> {
  const milliseconds = await timeKernel(device, shape);
  const flops = kernelFlops(shape.kernel) / (milliseconds / 1000);
  const bytes = kernelBytes(shape.kernel) / (milliseconds / 1000);
  return {
    id: shape.id,
    title: shape.title,
    milliseconds,
    gigaflops: flops / 1e9,
    gigabytes: bytes / 1e9,
    ...(shape.goal && {
      share: shape.goal.ceiling === 'flops' ? flops / ceilings.flops : bytes / ceilings.bytes,
      goal: shape.goal.share,
    }),
    ...(torchMilliseconds !== undefined && { torchMilliseconds }),
  };
}

function rowText({ title, milliseconds, gigaflops, gigabytes, share, goal, torchMilliseconds }: Row): string {
  const percent = (fraction: number) => `${(100 * fraction).toFixed(0)} %`;
  return [
    title.padEnd(66),
    `${formatNumber(milliseconds)} ms`.padStart(12),
    `${formatNumber(gigaflops)} GFLOP/s`.padStart(17),
    `${formatNumber(gigabytes)} GB/s`.padStart(13),
    share === undefined || goal === undefined ? '' : `${percent(share)} (goal ${percent(goal)})`.padStart(18),
    torchMilliseconds === undefined ? '' : `PyTorch ${formatNumber(torchMilliseconds)} ms`.padStart(20),
  ].join(' ');
}
