// Two denoising steps of a tiny model with PyTorch's random weights and noise, against slices of diffusers' own tests.
import { nn, type Tensor, tensor } from '@dmpo/core';
import { DDIMScheduler, DDPMScheduler, UNet2DModel } from '@dmpo/dmpo';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../devices.js';

const config = {
  block_out_channels: [4, 8],
  layers_per_block: 1,
  norm_num_groups: 4,
  sample_size: 8,
  in_channels: 3,
  out_channels: 3,
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
} satisfies ConstructorParameters<typeof UNet2DModel>[0];

/** torch.randn(1, 3, 8, 8), as [1, 8, 8, 3]. */
const randomImage = (generator: nn.HostGenerator) =>
  tensor(generator.normal(3 * 64), [1, 3, 8, 8]).permute(0, 2, 3, 1);

/** The last channel's last three rows and columns of the image in [0, 1]. */
async function corner(image: Tensor): Promise<number[]> {
  const unit = image.mul(0.5).add(0.5).clamp(0, 1);
  return Array.from(await unit.slice([0, 5, 5, 2], [1, 8, 8, 3]).data());
}

describe.each(devices)('two steps on %s', (device) => {
  useDevice(device);

  it.each([
    ['DDPM', [0, 0.9996672, 0.00329116, 1, 0.9995991, 1, 0.0060907, 0.00115037, 0]],
    ['DDIM', [0, 0.9979, 0, 0.9999, 0.9986, 0.9991, 7.106e-4, 0, 0]],
  ])('of %s draw what they draw in diffusers', async (kind, expected) => {
    const unet = new UNet2DModel(config, { generator: new nn.HostGenerator(0) });
    const scheduler = kind === 'DDPM' ? new DDPMScheduler() : new DDIMScheduler();
    scheduler.setTimesteps(2);
    const generator = new nn.HostGenerator(0);
    let image = randomImage(generator);
    for (const t of scheduler.timesteps) {
      const noise = kind === 'DDPM' && t > 0 ? { noise: randomImage(generator) } : {};
      image = scheduler.step(unet.forward(image, t), t, image, noise).prevSample;
    }
    const values = await corner(image);
    expected.forEach((value, i) => {
      expect(Math.abs(Number(values[i]) - value)).toBeLessThan(1e-3);
    });
  });
});
