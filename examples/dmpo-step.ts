import { Generator, openDevice, optim, type Tensor, tensor, valueAndGrad } from '@dmpo/core';
import { DDPMScheduler, denoisingErrors, dmpoLoss, UNet2DModel } from '@dmpo/dmpo';

await openDevice('auto');
const policy = new UNet2DModel({ block_out_channels: [32, 32, 32, 32] }); // the keys of diffusers' config.json
const reference = new UNet2DModel(policy.config);
reference.copyFrom(policy);
const optimizer = new optim.AdamW(policy.parameters(), { learningRate: 1e-5 });
// In place of your pairs: images [pairs, height, width, channels]; one noise and timestep for both members of a pair.
const [winners, losers, noise] = [1, 2, 3].map((seed) => new Generator(seed).normal([2, 16, 16, 3]));
const timesteps = tensor([100, 600], [2], 'int32');
const error = (model: UNet2DModel, images: Tensor) =>
  denoisingErrors(model.forward(new DDPMScheduler().addNoise(images, noise, timesteps), timesteps), noise);
const errors = (model: UNet2DModel) => ({ winner: error(model, winners), loser: error(model, losers) });
for (let step = 1; step <= 3; step++) {
  const loss = () =>
    dmpoLoss({ policy: errors(policy), reference: errors(reference) }, { alpha: 0.01, beta: 2000 }).loss;
  const { value, grads } = valueAndGrad(loss, policy.parameters());
  optimizer.step(grads, { realize: [value] }); // loss, gradients and update in one plan
  console.log(step, await value.item());
}
