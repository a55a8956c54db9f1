// The blocks of UNet2DModel against slices that diffusers' own tests expect for PyTorch's random weights, and by hand.
import { nn, type Tensor, tensor } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { DownBlock2D, UNetMidBlock2D, UpBlock2D } from './blocks.js';
import { ResnetBlock2D } from './resnet-block.js';
import { Downsample2D, Upsample2D } from './samplers.js';

/** torch.randn(batch, channels, size, size), of which the first image is kept, as [1, size, size, channels]. */
function firstImage(generator: nn.HostGenerator, batch: number, channels: number, size: number): Tensor {
  const images = tensor(generator.normal(batch * channels * size * size), [batch, channels, size, size]);
  return images.sliceAxis(0, 0, 1).permute(0, 2, 3, 1);
}

/** torch.randn(batch, 128): the first row. */
function firstTimeEmbedding(generator: nn.HostGenerator, batch: number): Tensor {
  return tensor(generator.normal(batch * 128), [batch, 128]).sliceAxis(0, 0, 1);
}

/** The last channel's last three rows and columns. */
async function expectCorner(images: Tensor, expected: readonly number[], tolerance: number): Promise<void> {
  const [, height, width, channels] = images.shape as [number, number, number, number];
  const corner = images.slice([0, height - 3, width - 3, channels - 1], [1, height, width, channels]);
  const values = await corner.data();
  expected.forEach((value, i) => {
    expect(Math.abs(Number(values[i]) - value)).toBeLessThan(tolerance);
  });
}

const common = { timeEmbeddingDim: 128, groups: 32, epsilon: 1e-6 };

describe.each(devices)('blocks with random weights on %s', (device) => {
  useDevice(device);

  it.each([
    ['DownBlock2D', undefined, [-0.0232, -0.9869, 0.8054, -0.0637, -0.1688, -1.4264, 0.447, -1.3394, 0.0904]],
    ['AttnDownBlock2D', 1, [0.0636, 0.8964, -0.6234, -1.0131, 0.0844, 0.4935, 0.3437, 0.0911, -0.2957]],
  ])('%s is that of diffusers', async (_, headDim, expected) => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 4, 32, 32);
    const time = firstTimeEmbedding(generator, 4);
    const options = { ...common, layers: 1, headDim, downsample: 'conv', downsamplePadding: 1 } as const;
    const outputs = new DownBlock2D(32, 32, options, { generator }).forward(x, time.silu());
    expect(outputs.map(({ shape }) => shape)).toEqual([
      [1, 32, 32, 32],
      [1, 16, 16, 32],
    ]);
    await expectCorner(outputs.at(-1) as Tensor, expected, 5e-3);
  });

  it('UNetMidBlock2D is that of diffusers', async () => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 4, 32, 32);
    const time = firstTimeEmbedding(generator, 4);
    const options = { ...common, headDim: 1, attentionGroups: 32, outputScaleFactor: 1 };
    const output = new UNetMidBlock2D(32, options, { generator }).forward(x, time.silu());
    await expectCorner(
      output,
      [-0.1062, 1.7248, 0.3494, 1.4569, -0.091, -1.2421, -0.9984, 0.6736, 1.0028],
      5e-3,
    );
  });

  it.each([
    ['UpBlock2D', undefined, [-0.2041, -0.4165, -0.3022, 0.0041, -0.6628, -0.7053, 0.1928, -0.0325, 0.0523]],
    ['AttnUpBlock2D', 1, [0.0979, 0.1326, 0.0021, 0.0659, 0.2249, 0.0059, 0.1132, 0.5952, 0.1033]],
  ])('%s is that of diffusers', async (_, headDim, expected) => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 4, 32, 32);
    const time = firstTimeEmbedding(generator, 4);
    const reseeded = new nn.HostGenerator(1);
    const skip = firstImage(reseeded, 4, 32, 32);
    const options = { ...common, skipChannels: [32], headDim, upsample: 'conv' } as const;
    const output = new UpBlock2D(32, 32, options, { generator: reseeded }).forward(x, [skip], time.silu());
    expect(output.shape).toEqual([1, 64, 64, 32]);
    await expectCorner(output, expected, 5e-3);
  });

  it.each([
    ['', undefined, [-1.901, -0.2974, -0.8245, -1.3533, 0.8742, -0.9645, -2.0584, 1.3387, -0.4746]],
    ['that doubles', 'up', [1.213, -0.8753, -0.9027, 1.5783, -0.5362, -0.5001, 1.0726, -0.7732, -0.4182]],
    ['that halves', 'down', [-0.3002, -0.7135, 0.1359, 0.0561, -0.7935, 0.0113, -0.1766, -0.6714, -0.0436]],
  ] as const)('ResnetBlock2D %s is that of diffusers', async (_, resample, expected) => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 1, 32, 64);
    const time = firstTimeEmbedding(generator, 1);
    const options = resample ? { ...common, resample } : common;
    const output = new ResnetBlock2D(32, 32, options, { generator }).forward(x, time.silu());
    await expectCorner(output, expected, 1e-3);
  });

  it('Upsample2D is that of diffusers', async () => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 1, 32, 32);
    const output = new Upsample2D(32, { generator }).forward(x);
    await expectCorner(
      output,
      [0.7145, 1.3773, 0.3492, 0.8448, 1.0839, -0.3341, 0.5956, 0.125, -0.4841],
      1e-3,
    );
  });

  it('Downsample2D is that of diffusers', async () => {
    const generator = new nn.HostGenerator(0);
    const x = firstImage(generator, 1, 32, 64);
    const output = new Downsample2D(32, 1, { generator }).forward(x);
    await expectCorner(
      output,
      [0.9267, 0.5878, 0.3337, 1.2321, -0.1191, -0.3984, -0.7532, -0.0715, -0.3913],
      1e-3,
    );
  });

  it('Downsample2D pads below and on the right only where padding is 0', async () => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], [1, 4, 4, 1]);
    const ones = new Map([
      ['conv.weight', tensor(Array(9).fill(1), [1, 1, 3, 3])],
      ['conv.bias', tensor([0])],
    ]);
    const sums = async (padding: 0 | 1) => {
      const downsample = new Downsample2D(1, padding, {});
      downsample.load(ones);
      return Array.from(await downsample.forward(x).data());
    };
    expect(await sums(1)).toEqual([14, 30, 57, 99]);
    expect(await sums(0)).toEqual([54, 45, 72, 54]);
  });
});

describe('ResnetBlock2D by hand', () => {
  useDevice('reference');

  /** One pixel, two channels, one group: every norm gives 1 for the larger channel and -1 for the smaller. */
  async function output(
    timeScaleShift: 'default' | 'scale_shift',
    projected: number[],
    outputScaleFactor = 1,
  ) {
    const options = { timeEmbeddingDim: 1, groups: 1, epsilon: 1e-12, timeScaleShift, outputScaleFactor };
    const block = new ResnetBlock2D(2, 2, options, {});
    const identity = [1, 0, 0, 1].flatMap((value) => [0, 0, 0, 0, value, 0, 0, 0, 0]);
    block.load(
      new Map([
        ...block.stateDict(),
        ['conv1.weight', tensor(identity, [2, 2, 3, 3])],
        ['conv1.bias', tensor([0, 0])],
        ['conv2.weight', tensor(identity, [2, 2, 3, 3])],
        ['conv2.bias', tensor([0, 0])],
        ['time_emb_proj.weight', tensor(projected, [projected.length, 1])],
        ['time_emb_proj.bias', tensor(Array(projected.length).fill(0))],
      ]),
    );
    return Array.from(await block.forward(tensor([3, 1], [1, 1, 1, 2]), tensor([[1]])).data());
  }

  const silu = (x: number) => x / (1 + Math.exp(-x));
  const closeTo = (values: number[]) => values.map((value) => expect.closeTo(value, 6));

  it('adds the time embedding before the second norm', async () => {
    // conv1 gives [silu(1), silu(-1)]; adding -10 to the first makes it the smaller one.
    expect(await output('default', [-10, 0])).toEqual(closeTo([3 + silu(-1), 1 + silu(1)]));
  });

  it('scales by 1 plus the first half and shifts by the second with scale_shift', async () => {
    const [scaled, shifted] = [1 * (1 + 0.5) + 10, -1 * (1 + 2) + 20];
    expect(await output('scale_shift', [0.5, 2, 10, 20])).toEqual(
      closeTo([3 + silu(scaled), 1 + silu(shifted)]),
    );
  });

  it('divides its output by the scale factor', async () => {
    expect(await output('default', [-10, 0], 4)).toEqual(closeTo([(3 + silu(-1)) / 4, (1 + silu(1)) / 4]));
  });
});
