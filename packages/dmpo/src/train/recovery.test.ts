// Runs whose device fails, on purpose: on the CPU a device that refuses everything from a moment on, on WebGPU a destroyed GPUDevice.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { currentDevice, type Device, DmpoError, openDevice, setDevice } from '@dmpo/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryStorage, preferenceTrainer, pretrainer, scheduler, text } from '../testing/tiny-trainers.js';
import type { Recovery } from './recovery.js';

/** A device that can be made to fail as a GPU does: from then on it throws and rejects, whatever is asked of it. */
class FragileDevice {
  readonly device: Device;
  /** What was asked for after the failure. */
  readonly asked: string[] = [];
  #failure: DmpoError | undefined;

  constructor(sound: Device) {
    this.device = new Proxy(sound, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (this.#failure !== undefined && property !== 'close' && property !== 'free') {
            this.asked.push(String(property));
            throw this.#failure;
          }
          return Reflect.apply(value, target, args);
        };
      },
    });
  }

  static async open(): Promise<FragileDevice> {
    const fragile = new FragileDevice(await openDevice('cpu'));
    setDevice(fragile.device);
    return fragile;
  }

  fail(code = 'DEVICE_LOST'): void {
    this.#failure = new DmpoError(code, 'The device failed on purpose.', 'Open another one.');
  }
}

/** Calls `then` whenever a step is under way: its graph is being built, nothing was computed. */
function amidSteps(then: (calls: number) => void): void {
  const { addNoise } = scheduler;
  const spy = vi.spyOn(scheduler, 'addNoise');
  spy.mockImplementation((...args) => {
    then(spy.mock.calls.length);
    return addNoise.apply(scheduler, args);
  });
}

function amidStep(step: number, then: () => void): void {
  amidSteps((calls) => {
    if (calls === step) then();
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

const trainers = { pretrainer, preferenceTrainer };

describe.each(Object.entries(trainers))('%s on a device that fails', (_, make) => {
  let fragile: FragileDevice;

  beforeEach(async () => {
    fragile = await FragileDevice.open();
  });

  afterEach(async () => {
    await currentDevice().close();
    await fragile.device.close();
  });

  it('goes on from the last checkpoint, and ends as a run without the failure does', async () => {
    const undisturbed = new MemoryStorage();
    const whole = make();
    await whole.train({ storage: undisturbed });

    const storage = new MemoryStorage();
    const trainer = make();
    const recoveries: Recovery[] = [];
    const steps: number[] = [];
    amidStep(5, () => fragile.fail());
    const outcome = await trainer.train({
      storage,
      onStep: ({ step }) => void steps.push(step),
      recovery: { onRecovery: (recovery) => recoveries.push(recovery) },
    });

    expect(outcome).toEqual({ step: 6, interrupted: false, checkpoint: 'checkpoint-6' });
    expect(steps).toEqual([1, 2, 3, 4, 4, 5, 6]);
    expect(recoveries).toMatchObject([
      { error: { code: 'DEVICE_LOST' }, failedStep: 4, step: 3, attemptsLeft: 2, device: { name: 'cpu' } },
    ]);
    expect(currentDevice()).not.toBe(fragile.device);
    expect(trainer.history).toEqual(whole.history);
    expect(text(await storage.load(6))).toEqual(text(await undisturbed.load(6)));
    // The one call that found out.
    expect(fragile.asked).toHaveLength(1);
  });

  it('goes on from where it began if no checkpoint was stored since', async () => {
    const whole = make({ steps: 3 });
    await whole.train();
    const trainer = make({ steps: 3 });
    amidStep(2, () => fragile.fail());
    await trainer.train({ recovery: {} });
    expect(trainer.history).toEqual(whole.history);
  });

  it('fails with its device when it was not asked to recover', async () => {
    amidStep(2, () => fragile.fail());
    await expect(make().train()).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(currentDevice()).toBe(fragile.device);
  });
});

describe('recovery', () => {
  let opened: FragileDevice[];
  const open = async () => {
    const fragile = await FragileDevice.open();
    opened.push(fragile);
    return fragile.device;
  };

  beforeEach(async () => {
    opened = [];
    await open();
  });

  afterEach(async () => {
    for (const { device } of opened) await device.close();
  });

  it('gives up after as many failures as it was told, with what the device said', async () => {
    const left: number[] = [];
    amidSteps(() => opened.at(-1)?.fail());
    const recovery = {
      attempts: 2,
      openDevice: open,
      onRecovery: ({ attemptsLeft }: Recovery) => void left.push(attemptsLeft),
    };
    await expect(pretrainer().train({ recovery })).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(left).toEqual([1, 0]);
    expect(opened).toHaveLength(3);
  });

  it.each([
    { code: 'DEVICE_LOST', devices: 4 },
    { code: 'OUT_OF_MEMORY', devices: 2 },
    { code: 'DEVICE_FAILED', devices: 2 },
    { code: 'DEVICE_CLOSED', devices: 1 },
  ])('tries $devices devices where each fails with $code in step 2, after a checkpoint', async (expected) => {
    const trainer = pretrainer({ checkpointEvery: 1 });
    amidSteps(() => {
      if (trainer.step === 1) opened.at(-1)?.fail(expected.code);
    });
    const training = trainer.train({ storage: new MemoryStorage(), recovery: { openDevice: open } });
    await expect(training).rejects.toMatchObject({ code: expected.code });
    expect(opened).toHaveLength(expected.devices);
  });
});

describe('a preference trainer on webgpu', () => {
  it('goes on bit for bit when its GPU is lost in the middle of a step', async () => {
    const [gpu, spare] = [await openGpu(), await openGpu()];
    const options = { steps: 4, checkpointEvery: 2 };
    await openDevice('webgpu', { gpuDevice: gpu });
    const whole = preferenceTrainer(options);
    await whole.train();

    const trainer = preferenceTrainer(options);
    const recoveries: Recovery[] = [];
    amidStep(4, () => gpu.destroy());
    await trainer.train({
      storage: new MemoryStorage(),
      recovery: {
        openDevice: () => openDevice('webgpu', { gpuDevice: spare }),
        onRecovery: (recovery) => void recoveries.push(recovery),
      },
    });
    expect(recoveries).toMatchObject([
      { error: { code: 'DEVICE_LOST' }, failedStep: 3, step: 2, device: { name: 'webgpu' } },
    ]);
    expect(trainer.history).toEqual(whole.history);
    await currentDevice().close();
    spare.destroy();
  }, 300_000);
});

// Dawn ends the process if the GPU object is collected before its devices.
let dawn: GPU | undefined;

/** A GPUDevice that a test may destroy. */
async function openGpu(): Promise<GPUDevice> {
  const kernels = createRequire(new URL('../../../kernels/package.json', import.meta.url));
  const { create, globals } = await import(pathToFileURL(kernels.resolve('webgpu')).href);
  Object.assign(globalThis, globals);
  dawn ??= create([]) as GPU;
  const adapter = await dawn.requestAdapter();
  if (adapter === null) throw new Error('WebGPU has no adapter here.');
  return adapter.requestDevice();
}
