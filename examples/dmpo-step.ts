import { Generator, openDevice, optim, type Tensor, tensor, valueAndGrad } from '@dmpo/core';
import { DDPMScheduler, denoisingErrors, dmpoLoss, UNet2DModel } from '@dmpo/dmpo';

await openDevice('auto');
const policy = new UNet2DModel({ block_out_channels: [32, 32, 32, 32] }); // the keys of diffusers' config.json
const reference = new UNet2DModel(policy.config);
reference.copyFrom(policy);
const scheduler = new DDPMScheduler();
const optimizer = new optim.AdamW(policy.parameters(), { learningRate: 1e-4 });

const random = new Generator(0);
const [winners, losers] = [random.uniform([2, 16, 16, 3]), random.uniform([2, 16, 16, 3])]; // your images, NHWC
const noise = random.normal([2, 16, 16, 3]); // the same noise and timesteps for both members of a pair
const timesteps = tensor([100, 600], [2], 'int32');

for (let step = 1; step <= 3; step++) {
  const error = (model: UNet2DModel, images: Tensor) =>
    denoisingErrors(model.forward(scheduler.addNoise(images, noise, timesteps), timesteps), noise);
  const errors = (model: UNet2DModel) => ({ winner: error(model, winners), loser: error(model, losers) });
  const { value: loss, grads } = valueAndGrad(
    () =>
      dmpoLoss({ policy: errors(policy), reference: errors(reference) }, { alpha: 0.01, beta: 2000 }).loss,
    policy.parameters(),
  );
  optimizer.step(grads, { realize: [loss] }); // loss, gradients and update in one plan
  console.log(step, await loss.item());
}
