import { Generator, openDevice, optim, type Tensor, valueAndGrad } from '@dmpo/core';
import { DDPMScheduler, denoisingErrors, dmpoLoss, UNet2DModel } from '@dmpo/dmpo';

await openDevice('auto');
const policy = new UNet2DModel({ block_out_channels: [32, 32, 32, 32] }); // the keys of diffusers' config.json
const reference = new UNet2DModel(policy.config);
reference.copyFrom(policy);
// Your pairs here: images [pairs, height, width, channels]. Both members of a pair get the same noise and timestep.
const [winners, losers, noise] = [1, 2, 3].map((seed) => new Generator(seed).normal([2, 16, 16, 3]));
const error = (model: UNet2DModel, images: Tensor) =>
  denoisingErrors(model.forward(new DDPMScheduler().addNoise(images, noise, [500, 500]), 500), noise);
const errors = (model: UNet2DModel) => ({ winner: error(model, winners), loser: error(model, losers) });
const loss = () =>
  dmpoLoss({ policy: errors(policy), reference: errors(reference) }, { alpha: 0.01, beta: 2000 }).loss;
const { value, grads } = valueAndGrad(loss, policy.parameters());
new optim.AdamW(policy.parameters(), { learningRate: 1e-5 }).step(grads, { realize: [value] });
console.log(await value.item(), await loss().item()); // before and after the step
