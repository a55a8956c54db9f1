// The names and calls that other code relies on, exactly as documented: what goes in, what comes back.
import * as core from '@dmpo/core';
import {
  checkpoint,
  grad,
  nn,
  openDevice,
  optim,
  readSafetensors,
  realize,
  Tensor,
  tensor,
  valueAndGrad,
  writeSafetensors,
} from '@dmpo/core';
import * as dmpo from '@dmpo/dmpo';
import {
  DDIMScheduler,
  DDPMScheduler,
  diffusionDpoLoss,
  dmpoLoss,
  ImageSet,
  PreferenceTrainer,
  preferenceLoss,
  preferStyle,
  type UNet2DConfig,
  UNet2DModel,
} from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { useDevice } from './devices.js';

const config = {
  sample_size: 8,
  block_out_channels: [4, 8],
  layers_per_block: 1,
  norm_num_groups: 2,
  attention_head_dim: 4,
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
  num_class_embeds: 3,
} satisfies UNet2DConfig;

const ramp = (...shape: number[]) => {
  const length = shape.reduce((a, b) => a * b);
  return tensor(
    Float32Array.from({ length }, (_, i) => (i % 7) / 7 - 0.5),
    shape,
  );
};

describe('@dmpo/core', () => {
  useDevice('cpu');

  it('has the documented names', () => {
    expect(core).toMatchObject({ openDevice, tensor, realize, grad, valueAndGrad, checkpoint });
    expect(core).toMatchObject({ readSafetensors, writeSafetensors, nn, optim });
    for (const layer of ['Linear', 'Conv2d', 'GroupNorm', 'LayerNorm', 'Embedding', 'Attention'] as const)
      expect(nn[layer].prototype).toBeInstanceOf(nn.Module);
    for (const optimizer of ['SGD', 'AdamW'] as const)
      expect(optim[optimizer].prototype).toBeInstanceOf(optim.Optimizer);
  });

  it('makes, computes and reads tensors', async () => {
    const x = tensor(new Float32Array(12), [3, 4]);
    expect(x).toBeInstanceOf(Tensor);
    expect([x.shape, x.dtype]).toEqual([[3, 4], 'float32']);
    const [y, total] = [x.add(1), x.add(1).sum()];
    realize(y, total);
    expect(Array.from(await y.data())).toEqual(Array(12).fill(1));
    expect(await total.item()).toBe(12);
  });

  it('differentiates, with checkpoints or without', async () => {
    const x = tensor(Float32Array.of(1, 2));
    expect(Array.from(await grad(x.square().sum(), x).data())).toEqual([2, 4]);
    const { value, grads } = valueAndGrad(
      () => checkpoint((a: Tensor) => a.square(), x).sum(),
      new Map([['x', x]]),
    );
    expect(await value.item()).toBe(5);
    expect(Array.from((await grads.get('x')?.data()) ?? [])).toEqual([2, 4]);
  });

  it('reads and writes safetensors', async () => {
    const bytes = writeSafetensors(
      new Map([['w', { dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) }]]),
      { format: 'pt' },
    );
    const { tensors, metadata } = readSafetensors(bytes);
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()]).toEqual(['w']);
    expect(Array.from((await tensors.get('w')?.data()) ?? [])).toEqual([3, 4]);
  });
});

describe('openDevice', () => {
  it.each(['auto', 'cpu', 'reference'] as const)('opens %s', async (name) => {
    const device = await openDevice(name);
    expect(device.name).toBe(name === 'auto' ? process.env.DMPO_DEVICE || 'cpu' : name);
    await device.close();
  });
});

describe('@dmpo/dmpo', () => {
  useDevice('cpu');

  it('has the documented names', () => {
    expect(dmpo).toMatchObject({ UNet2DModel, DDPMScheduler, DDIMScheduler });
    expect(dmpo).toMatchObject({ dmpoLoss, diffusionDpoLoss, preferenceLoss, PreferenceTrainer });
  });

  it('loads, runs, differentiates and saves a model with the names and layouts of diffusers', async () => {
    const unet = new UNet2DModel(config);
    const files = unet.stateDict();
    expect(files.get('conv_in.weight')?.shape).toEqual([4, 3, 3, 3]);
    unet.load(files);
    const sample = ramp(2, 8, 8, 3);
    const timestep = tensor(Int32Array.of(10, 900));
    const classLabels = tensor(Int32Array.of(0, 2));
    const { value, grads } = valueAndGrad(
      () => unet.forward(sample, timestep, { classLabels }).square().mean(),
      unet.parameters(),
    );
    expect(await value.item()).toBeGreaterThan(0);
    const named = unet.stateDict(grads);
    expect([...named.keys()]).toEqual([...files.keys()]);
    expect([...named.values()].map(({ shape }) => shape)).toEqual(
      [...files.values()].map(({ shape }) => shape),
    );
  });

  it('names everything that does not fit in one error', () => {
    const unet = new UNet2DModel(config);
    const tensors = new Map([...unet.stateDict()].slice(1)).set('surplus', ramp(1));
    expect(() => unet.load(tensors)).toThrow(/conv_in\.weight.*surplus/);
    expect(() => new UNet2DModel({ ...config, block_out_chanels: [4] } as UNet2DConfig)).toThrow(
      '"block_out_channels"',
    );
  });

  it('computes preference losses from denoising errors of pairs', async () => {
    const [winner, loser] = [ramp(3), ramp(3).add(0.25)];
    const errors = { policy: { winner, loser }, reference: { winner, loser } };
    const { loss, perPair, logits, metrics } = dmpoLoss(errors, { alpha: 0.01, beta: 2000 });
    expect([loss.shape, perPair.shape, logits.shape]).toEqual([[], [3], [3]]);
    expect(await metrics.implicitAccuracy.item()).toBe(0.5);
    const own = preferenceLoss((u) => u.logSigmoid().neg())(errors, { beta: 2000 });
    expect(await own.loss.item()).toBe(await diffusionDpoLoss(errors, { beta: 2000 }).loss.item());
  });

  it('trains on preferences', async () => {
    const images = new ImageSet({
      pixels: Float32Array.from({ length: 2 * 192 }, (_, i) => (i < 192 ? 0.5 : -0.5)),
      shape: [8, 8, 3],
      prompts: ['square'],
      labels: [0, 0],
      styles: ['light', 'dark'],
    });
    const trainer = new PreferenceTrainer(
      {
        model: new UNet2DModel(config),
        scheduler: new DDPMScheduler(),
        preferences: preferStyle(images, 'light'),
      },
      { steps: 1, batch: 1 },
    );
    expect(await trainer.train()).toMatchObject({ step: 1, interrupted: false });
    expect(trainer.history[0]?.loss).toBeCloseTo(1.6145, 3);
    trainer.dispose();
  });

  it('steps back from noise', async () => {
    const scheduler = new DDIMScheduler();
    scheduler.setTimesteps(10);
    const sample = ramp(1, 8, 8, 3);
    const { prevSample } = scheduler.step(sample.mul(0.5), scheduler.timesteps[0] as number, sample);
    expect(prevSample.shape).toEqual(sample.shape);
  });
});
