// The webgpu device's own ways: reuse of memory and bind groups, batches, scalars, failures. What every device does is in devices/.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command, Device, DeviceBuffer } from '../device.js';
import type { Kernel } from '../kernel.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { nullGpuDevice } from '../testing/null-gpu.js';
import { nodeGpu } from './host/gpu.node.js';
import { openWebGpuDevice } from './open-webgpu.js';
import type { Program } from './program.js';
import type { WebGpuDevice } from './webgpu-device.js';
import { wgsl } from './wgsl.js';

let device: WebGpuDevice;

beforeEach(async () => {
  device = await openWebGpuDevice(nodeGpu, { poison: true });
});

afterEach(async () => {
  await device.close();
});

describe('memory', () => {
  it('gives the same buffers to a program that asks for the same sizes again', async () => {
    const step = () => {
      const buffers = [4000, 400, 4000, 8].map((bytes) => device.allocate(bytes));
      const [a, , b] = buffers;
      device.write(a, 'float32', new Float32Array(1000).fill(2));
      device.submit([scaling(1000).command(a, b, 3)]);
      const result = device.read(b, 'float32', 1000);
      for (const buffer of buffers) device.free(buffer);
      return result;
    };
    await step();
    const { gpuBuffers, bindGroups } = device.statistics();
    for (let round = 0; round < 5; round++) expect((await step())[999]).toBe(6);
    expect(device.statistics()).toMatchObject({ gpuBuffers, bindGroups });
  });

  it('keeps what is read although it was freed and used for something else', async () => {
    const { command } = scaling(1000);
    const [input, output] = [filled(device, 1000, 1), device.allocate(4000)];
    device.submit([command(input, output, 5)]);
    const reading = device.read(output, 'float32', 1000);
    device.free(output);
    const next = device.allocate(4000);
    device.write(next, 'float32', new Float32Array(1000).fill(-1));
    device.submit([command(input, next, 7)]);
    expect(new Set(await reading)).toEqual(new Set([5]));
    expect(new Set(await device.read(next, 'float32', 1000))).toEqual(new Set([7]));
  });

  it('does not hoard memory when sizes change, and gives all of it back when trimmed', () => {
    const mebibyte = 2 ** 20;
    for (let size = 1; size <= 24; size++) device.free(device.allocate(size * mebibyte));
    // Kept in full it would be 300 MiB.
    expect(device.memory().reservedBytes).toBeLessThanOrEqual((1.25 * 24 + 64 + 24) * mebibyte);
    const kept = device.allocate(mebibyte);
    device.trim();
    expect(device.memory().reservedBytes).toBe(mebibyte);
    device.free(kept);
    device.trim();
    expect(device.memory().reservedBytes).toBe(0);
  });

  it('refuses a buffer that no shader could bind, and says how large it may be', async () => {
    const small = await openWebGpuDevice(nodeGpu, { defaultLimits: true });
    expect(() => small.allocate(2 ** 27 + 4)).toThrow(
      expect.objectContaining({ code: 'BUFFER_TOO_LARGE', message: expect.stringContaining('128 MiB') }),
    );
    await small.close();
    const programs = () => ({ ...writing('7.0'), scratch: [2 ** 25 + 1] });
    const greedy = await openWebGpuDevice(nodeGpu, { defaultLimits: true }, { programs });
    const [input, output] = [filled(greedy, 4, 1), greedy.allocate(16)];
    expect(() => greedy.submit([scaling(4).command(input, output, 1)])).toThrow(
      expect.objectContaining({ code: 'BUFFER_TOO_LARGE' }),
    );
    expect(await greedy.read(input, 'float32', 1)).toEqual(Float32Array.of(1));
    await greedy.close();
  });
});

describe('commands', () => {
  it('run in order through many submits, and as few as there need be', async () => {
    const { command } = scaling(4);
    const buffers = [filled(device, 4, 1), device.allocate(16)];
    const before = device.statistics();
    const rounds = 500;
    device.submit(
      Array.from({ length: rounds }, (_, round) =>
        command(buffers[round % 2], buffers[1 - (round % 2)], round === 77 ? 3 : 1),
      ),
    );
    expect(Array.from(await device.read(buffers[rounds % 2], 'float32', 4))).toEqual([3, 3, 3, 3]);
    const { dispatches, submits, bindGroups } = device.statistics();
    expect(dispatches - before.dispatches).toBe(rounds);
    // 16, 32, 64, 128, 256 and the rest.
    expect(submits - before.submits).toBe(6);
    expect(bindGroups - before.bindGroups).toBe(2);
  });

  it('take a submit of their own where they are much work', async () => {
    const { kernel, command } = scaling(2 ** 23);
    await device.prepare([kernel]);
    const [input, output] = [2 ** 25, 2 ** 25].map((bytes) => device.allocate(bytes));
    const { submits } = device.statistics();
    device.submit(new Array<Command>(3).fill(command(input, output, 1)));
    expect(device.statistics().submits - submits).toBe(3);
    await device.finish();
  });

  it('of kernels that come to the same shader share one pipeline', async () => {
    const sharing = await openWebGpuDevice(nodeGpu, {}, { programs: () => writing('7.0') });
    await sharing.prepare([scaling(4).kernel, scaling(8).kernel]);
    expect(sharing.statistics().pipelines).toBe(1);
    await sharing.close();
  });

  it('report how long the host needed for a dispatch', async () => {
    const { command } = scaling(4);
    const [input, output] = [filled(device, 4, 1), device.allocate(16)];
    device.submit(new Array<Command>(100).fill(command(input, output, 1)));
    await device.finish();
    const { hostMicrosecondsPerDispatch } = device.statistics();
    expect(hostMicrosecondsPerDispatch).toBeGreaterThan(0);
    expect(hostMicrosecondsPerDispatch).toBeLessThan(10_000);
  });
});

describe('scalars', () => {
  it.each([true, false])('reach kernels as they are (immediates: %s)', async (hasImmediates) => {
    const other = await openWebGpuDevice(nodeGpu, {}, { hasImmediates });
    const rounds = 600;
    const kernel = typedScalars();
    const outputs = Array.from({ length: rounds }, () => other.allocate(16));
    const values = (round: number) => [round + 0.5, -1 - round, 2 ** 32 - 1 - round, round % 2];
    other.submit(
      outputs.map((buffer, round) => ({ kernel, inputs: [], outputs: [buffer], scalars: values(round) })),
    );
    for (const round of [0, 1, 255, 256, 257, 599]) {
      const read = Array.from(await other.read(outputs[round], 'float32', 4));
      expect(read).toEqual(values(round).map(Math.fround));
    }
    for (const buffer of outputs) other.free(buffer);
    await other.close();
  });

  it('may be more than fit beside a dispatch', async () => {
    const count = 40;
    const e = new ExpressionBuilder([1]);
    let sum = e.scalar(0);
    for (let slot = 1; slot < count; slot++) sum = e.apply('add', sum, e.scalar(slot));
    const kernel: Kernel = {
      kind: 'map',
      inputs: [],
      scalars: new Array(count).fill('float32'),
      shape: [1],
      expression: e.build(sum),
    };
    const output = device.allocate(4);
    const scalars = Array.from({ length: count }, (_, slot) => slot);
    device.submit([{ kernel, inputs: [], outputs: [output], scalars }]);
    expect(Array.from(await device.read(output, 'float32', 1))).toEqual([(count * (count - 1)) / 2]);
  });
});

describe('failures', () => {
  /** What must be rejected, and stay so. */
  const expectFailed = async (reads: Promise<unknown>[], code: string) => {
    for (const result of await Promise.allSettled(reads))
      expect(result).toMatchObject({ status: 'rejected', reason: { code } });
    const buffer = expect.objectContaining({ code });
    await expect(device.finish()).rejects.toMatchObject({ code });
    expect(() => device.allocate(16)).toThrow(buffer);
    expect(() => device.submit([])).toThrow(buffer);
    await expect(device.prepare([scaling(4).kernel])).rejects.toMatchObject({ code });
  };

  it('of a device lost in the middle of a step reject every read, and can be recovered from', async () => {
    const gpu = await requestGpuDevice();
    await device.close();
    device = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu });
    const { command } = scaling(2 ** 20);
    const [input, output] = [filled(device, 2 ** 20, 1), device.allocate(2 ** 22)];
    const early = device.read(input, 'float32', 4);
    for (let round = 0; round < 20; round++) device.submit([command(input, output, 2)]);
    const reads = [early, device.read(output, 'float32', 4), device.finish()];
    gpu.destroy();
    // It is not known to be lost yet, and takes what it is given.
    const late = device.read(output, 'float32', 4);
    await expectFailed([...reads, late], 'DEVICE_LOST');
    device.free(input);
    device.free(output);
    expect(device.memory().buffers).toBe(0);
    await device.close();
    device = await openWebGpuDevice(nodeGpu);
    const again = filled(device, 4, 9);
    expect(Array.from(await device.read(again, 'float32', 4))).toEqual([9, 9, 9, 9]);
  });

  it('of a shader name the kernel and show the line, whether it was prepared or not', async () => {
    const programs = () => writing('oops');
    for (const prepared of [true, false]) {
      await device.close();
      device = await openWebGpuDevice(nodeGpu, {}, { programs });
      const output = device.allocate(16);
      const { kernel } = scaling(4);
      const run = async () => {
        if (prepared) await device.prepare([kernel]);
        device.submit([{ kernel, inputs: [output], outputs: [device.allocate(16)], scalars: [1] }]);
        await device.read(output, 'float32', 4);
      };
      const error = await run().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'INVALID_SHADER', problem: expect.stringContaining('map 4') });
      expect(error).toMatchObject({
        problem: expect.stringMatching(/line \d+: .*oops.*\n +store_out\(0u, oops\)/),
      });
      if (prepared) expect(await device.read(output, 'float32', 4)).toHaveLength(4);
      else await expectFailed([], 'INVALID_SHADER');
    }
  });

  it.each([
    ['too many workgroups', { workgroups: [65536, 1, 1] as const }, 'DEVICE_FAILED'],
    ['too much workgroup memory', { memory: 2 ** 16 }, 'INVALID_SHADER'],
  ])('of a program with %s reject what depends on it', async (_, flaw, code) => {
    await device.close();
    device = await openWebGpuDevice(nodeGpu, {}, { programs: () => writing('7.0', flaw) });
    const [input, output] = [filled(device, 4, 1), device.allocate(16)];
    device.submit([scaling(4).command(input, output, 1)]);
    await expectFailed([device.read(output, 'float32', 4), device.finish()], code);
  });

  it('of memory reject every read', async () => {
    // Dawn's null backend has 512 MiB, whatever the machine has.
    const gpu = await nullGpuDevice();
    await device.close();
    device = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu });
    const reads = Array.from({ length: 6 }, () => device.read(device.allocate(2 ** 27), 'float32', 4));
    // Those that fit may have come before.
    await Promise.allSettled(reads.slice(0, 3));
    await expectFailed(reads.slice(3), 'OUT_OF_MEMORY');
    await device.close();
    gpu.destroy();
  });

  it('that nobody watched for are final too', async () => {
    const gpu = await requestGpuDevice();
    await device.close();
    device = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu });
    const buffer = filled(device, 4, 1);
    const told = new Promise((resolve) => gpu.addEventListener('uncapturederror', resolve));
    gpu.createBuffer({ size: 2 ** 50, usage: 0x80 });
    await told;
    await expectFailed([device.read(buffer, 'float32', 4)], 'DEVICE_FAILED');
    await device.close();
    gpu.destroy();
  });

  it('are told to those who wait when the device is closed', async () => {
    const reading = device.read(filled(device, 4, 1), 'float32', 4);
    const closing = device.close();
    await expect(reading).rejects.toMatchObject({ code: 'DEVICE_CLOSED' });
    await closing;
  });
});

describe('work behind kernels that are still being compiled', () => {
  it('waits its turn, with the numbers that it was given', async () => {
    const progress: string[] = [];
    const fresh = await openWebGpuDevice(nodeGpu, {
      poison: true,
      onCompile: (done, total) => progress.push(`${done}/${total}`),
    });
    const first = scaling(1000);
    const [input, output] = [filled(fresh, 1000, 1), fresh.allocate(4000)];
    fresh.submit([first.command(input, output, 5)]);
    const reading = fresh.read(output, 'float32', 1000);
    // All of these are asked for before the first command has run, and use the same memory.
    fresh.free(output);
    const numbers = new Float32Array(1000).fill(2);
    fresh.write(input, 'float32', numbers);
    numbers.fill(99);
    const again = fresh.allocate(4000);
    fresh.submit([first.command(input, again, 7), scaling(999).command(input, again, 8)]);
    fresh.trim();
    expect(new Set(await reading)).toEqual(new Set([5]));
    expect(Array.from(await fresh.read(again, 'float32', 1000)).slice(997)).toEqual([16, 16, 14]);
    // Both submits compile at once, and either may be first.
    expect(progress.toSorted()).toEqual(['1/1', '1/2', '2/2']);
    await fresh.close();
  });

  it('is rejected when the device is closed meanwhile', async () => {
    const fresh = await openWebGpuDevice(nodeGpu);
    const [input, output] = [filled(fresh, 77, 1), fresh.allocate(4 * 77)];
    fresh.submit([scaling(77).command(input, output, 5)]);
    const waiting = [fresh.read(output, 'float32', 77), fresh.finish()];
    await fresh.close();
    for (const result of await Promise.allSettled(waiting))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DEVICE_CLOSED' } });
  });
});

describe('a given GPUDevice', () => {
  it('is computed on, and left open', async () => {
    const gpu = await requestGpuDevice();
    const given = await openWebGpuDevice(nodeGpu, { gpuDevice: gpu });
    const [input, output] = [filled(given, 4, 2), given.allocate(16)];
    given.submit([scaling(4).command(input, output, 4)]);
    expect(Array.from(await given.read(output, 'float32', 4))).toEqual([8, 8, 8, 8]);
    await given.close();
    const ended = await Promise.race([gpu.lost, gpu.queue.onSubmittedWorkDone().then(() => 'open')]);
    expect(ended).toBe('open');
    gpu.destroy();
  });
});

async function requestGpuDevice(): Promise<GPUDevice> {
  const adapter = await (await nodeGpu.open()).requestAdapter();
  if (adapter === null) throw new Error('There is no adapter.');
  return adapter.requestDevice();
}

/** output = input * scalar */
function scaling(elements: number) {
  const e = new ExpressionBuilder([elements]);
  const kernel: Kernel = {
    kind: 'map',
    inputs: ['float32'],
    scalars: ['float32'],
    shape: [elements],
    expression: e.build(e.apply('mul', e.load(0), e.scalar(0))),
  };
  const command = (input: DeviceBuffer, output: DeviceBuffer, factor: number): Command => ({
    kernel,
    inputs: [input],
    outputs: [output],
    scalars: [factor],
  });
  return { kernel, command };
}

/** Writes its four scalars, one of each dtype, as float32. */
function typedScalars(): Kernel {
  const e = new ExpressionBuilder([4]);
  const dtypes = ['float32', 'int32', 'uint32', 'bool'] as const;
  const values = dtypes.map((dtype, slot) => e.apply('toFloat32', e.scalar(slot, dtype)));
  const position = e.index();
  const result = values.reduce((rest, value, slot) =>
    e.apply('where', e.apply('eq', position, e.constant(slot, 'int32')), value, rest),
  );
  return { kind: 'map', inputs: [], scalars: [...dtypes], shape: [4], expression: e.build(result) };
}

interface Flaw {
  readonly workgroups?: readonly [number, number, number];
  /** Bytes of workgroup memory. */
  readonly memory?: number;
}

/** A program of one dispatch that stores `value` in the first element of the output. */
function writing(value: string, { workgroups = [1, 1, 1], memory = 16 }: Flaw = {}): Program {
  return {
    scratch: [],
    dispatches: [
      {
        label: 'writing',
        buffers: [{ name: 'out', place: { output: 0 }, dtype: 'float32', width: 1, access: 'write' }],
        workgroups,
        code: wgsl`
          var<workgroup> memory: array<u32, ${memory / 4}>;
          @compute @workgroup_size(1)
          fn main() {
            memory[0] = 1u;
            store_out(0u, ${value});
          }
        `,
      },
    ],
  };
}

function filled(on: Device, elements: number, value: number): DeviceBuffer {
  const buffer = on.allocate(4 * elements);
  on.write(buffer, 'float32', new Float32Array(elements).fill(value));
  return buffer;
}
