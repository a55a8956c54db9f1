// Both trainers in mixed precision: near float32, bit for bit after a checkpoint, and unharmed by overflow.
import { openDevice, type Tensor } from '@dmpo/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak } from '../../../../test/memory.js';
import { MemoryStorage, preferenceTrainer, pretrainer, text } from '../testing/tiny-trainers.js';
import { jsonOf, parseJson } from './checkpoint-files.js';
import type { CheckpointFiles } from './checkpoint-storage.js';

const mixed = { mixedPrecision: 'fp16' } as const;

async function numbers(tensors: ReadonlyMap<string, Tensor>): Promise<number[][]> {
  return Promise.all([...tensors.values()].map(async (one) => Array.from(await one.data())));
}

/** The checkpoint of a run whose loss is multiplied with `scale` from now on. */
function withScale(files: CheckpointFiles, scale: number): CheckpointFiles {
  const state = parseJson(files, 'state.json') as object;
  return new Map([...files, ['state.json', jsonOf({ ...state, lossScaling: { scale, goodSteps: 0 } })]]);
}

describe('mixed precision', () => {
  let device: Awaited<ReturnType<typeof openDevice>>;
  beforeAll(async () => {
    device = await openDevice('reference');
  });
  afterAll(async () => {
    await expectNoLeak(device);
    await device.close();
  });

  it.each(Object.entries({ pretrainer, preferenceTrainer }))(
    'trains a %s as float32 does',
    async (_, make) => {
      const [exact, rounded] = [make({ steps: 3 }), make({ steps: 3, ...mixed })];
      for (const trainer of [exact, rounded]) await trainer.train();
      exact.history.forEach(({ loss = Number.NaN, gradientNorm = Number.NaN }, step) => {
        const metrics = rounded.history[step];
        expect(metrics?.lossScale).toBe(65536);
        expect(metrics?.gradientNorm).not.toBe(gradientNorm);
        // A preference loss is about a small difference of errors, times beta.
        expect(Math.abs(Number(metrics?.loss) / loss - 1)).toBeLessThan(make === pretrainer ? 2e-3 : 1e-2);
        expect(Math.abs(Number(metrics?.gradientNorm) / gradientNorm - 1)).toBeLessThan(2e-2);
      });
      for (const trainer of [exact, rounded]) {
        trainer.dispose();
        trainer.model.dispose();
      }
    },
  );

  it('continues from a checkpoint bit for bit, with micro-batches too', async () => {
    const storage = new MemoryStorage();
    const make = () => pretrainer({ steps: 2, checkpointEvery: 1, accumulation: 2, batch: 2, ...mixed });
    const [whole, resumed] = [make(), make()];
    await whole.train({ storage });
    await resumed.resume(await storage.load(1));
    await resumed.train();
    expect(resumed.history).toEqual(whole.history);
    expect(text(await resumed.checkpoint())).toEqual(text(await storage.load(2)));
    for (const trainer of [whole, resumed]) {
      trainer.dispose();
      trainer.model.dispose();
    }
  });

  it('leaves out a step whose gradients overflow, and scales the next by half', async () => {
    const trainer = pretrainer({ steps: 4, ...mixed });
    await trainer.resume(withScale(await trainer.checkpoint(), 2 ** 60));
    const before = await numbers(trainer.model.stateDict());
    const { metrics } = await trainer.runStep();
    expect(metrics).toMatchObject({ lossScale: 2 ** 60, loss: expect.any(Number) });
    expect(metrics).not.toHaveProperty('gradientNorm');
    expect(await numbers(trainer.model.stateDict())).toEqual(before);
    expect((await trainer.runStep()).metrics).toMatchObject({ lossScale: 2 ** 59 });

    await trainer.resume(withScale(await trainer.checkpoint(), 1024));
    const next = await trainer.runStep();
    expect(next.metrics).toMatchObject({ lossScale: 1024, gradientNorm: expect.any(Number) });
    expect(await numbers(trainer.model.stateDict())).not.toEqual(before);
    trainer.dispose();
    trainer.model.dispose();
  });
});

describe('mixed precision on webgpu', () => {
  it('takes the steps of the reference device, and leaves out the same', async () => {
    const run = async (name: 'reference' | 'webgpu') => {
      const device = await openDevice(name);
      const trainer = pretrainer({ steps: 4, ...mixed });
      await trainer.resume(withScale(await trainer.checkpoint(), 2 ** 60));
      await trainer.runStep();
      await trainer.resume(withScale(await trainer.checkpoint(), 65536));
      await trainer.runStep();
      await trainer.runStep();
      trainer.dispose();
      trainer.model.dispose();
      await expectNoLeak(device);
      await device.close();
      return trainer.history;
    };
    const [expected, actual] = [await run('reference'), await run('webgpu')];
    expect(actual.map(({ lossScale }) => lossScale)).toEqual([2 ** 60, 65536, 65536]);
    expect(actual.map(Object.keys)).toEqual(expected.map(Object.keys));
    // A rounding that goes the other way moves a number by 2^-11.
    actual.forEach(({ loss }, step) => {
      expect(Math.abs(Number(loss) / Number(expected[step]?.loss) - 1)).toBeLessThan(1e-3);
    });
  }, 300_000);
});

describe('mixed precision on a device without float16', () => {
  it('is refused before anything is trained', async () => {
    const device = await openDevice('cpu');
    expect(() => pretrainer(mixed)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_DTYPE',
        problem: "mixedPrecision 'fp16' needs float16, which the cpu device does not have.",
      }),
    );
    await device.close();
  });
});
