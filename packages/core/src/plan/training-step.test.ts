// A whole training step of a small U-Net: planned memory, one plan for all steps, nothing left behind, the same bits again.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { expectNoLeak } from '../../../../test/memory.js';
import { Generator } from '../generator.js';
import { valueAndGrad } from '../grad.js';
import { attention } from '../ops/attention.js';
import { conv2d } from '../ops/conv2d.js';
import { tensor } from '../ops/creation.js';
import { groupNorm } from '../ops/group-norm.js';
import { concat } from '../ops/movement.js';
import { AdamW } from '../optim/adamw.js';
import { clipByGlobalNorm } from '../optim/clip-by-global-norm.js';
import { Parameter } from '../parameter.js';
import { planStatistics } from '../realize.js';
import type { Tensor } from '../tensor.js';
import { expectSameBits, normals } from '../testing/data.js';
import { count } from '../testing/plain.js';

const CHANNELS = 8;

/** Two levels with skip connections, time embedding, attention at the lower one. Parameters are made as they are asked for. */
class SmallUNet {
  readonly parameters = new Map<string, Parameter>();

  forward(images: Tensor, time: Tensor): Tensor {
    const embedding = time.matmul(this.parameter('time', [CHANNELS, CHANNELS])).silu();
    const entry = this.convolution('entry', images, CHANNELS);
    const upper = this.block('upper', entry, embedding);
    const lower = this.block('lower', this.convolution('down', upper, CHANNELS, 2), embedding);
    const [batch, height, width, channels] = lower.shape;
    const tokens = lower.reshape(batch, height * width, 2, channels / 2);
    const attended = attention(tokens, tokens, tokens).reshape(lower.shape).add(lower);
    const joined = concat([this.block('middle', attended, embedding).upsampleNearest(), upper, entry], 3);
    return this.convolution(
      'exit',
      this.block('last', this.convolution('join', joined, CHANNELS), embedding),
      3,
    );
  }

  dispose(): void {
    for (const parameter of this.parameters.values()) parameter.dispose();
  }

  private block(name: string, x: Tensor, embedding: Tensor): Tensor {
    const shift = embedding.reshape(x.shape[0], 1, 1, CHANNELS);
    const h = this.convolution(`${name}.first`, this.norm(`${name}.norm1`, x), CHANNELS).add(shift);
    return this.convolution(`${name}.second`, this.norm(`${name}.norm2`, h), CHANNELS).add(x);
  }

  private norm(name: string, x: Tensor): Tensor {
    const scale = this.parameter(`${name}.scale`, [CHANNELS], 1);
    return groupNorm(x, scale, this.parameter(`${name}.shift`, [CHANNELS]), {
      groups: 2,
      activation: 'silu',
    });
  }

  private convolution(name: string, x: Tensor, channels: number, stride = 1): Tensor {
    const filters = this.parameter(`${name}.filters`, [channels, 3, 3, x.shape[3]]);
    return conv2d(x, filters, { stride, padding: 1 }).add(this.parameter(`${name}.bias`, [channels]));
  }

  private parameter(name: string, shape: number[], offset = 0): Parameter {
    let parameter = this.parameters.get(name);
    if (!parameter) {
      const values = normals(this.parameters.size, count(shape)).map((x) => offset + 0.1 * x);
      parameter = new Parameter(values, shape);
      this.parameters.set(name, parameter);
    }
    return parameter;
  }
}

/** Losses of some steps on one batch, and what the plans of the later ones were like. */
async function train(steps: number) {
  const unet = new SmallUNet();
  const batch = tensor(normals(1, 4 * 8 * 8 * 3), [4, 8, 8, 3]);
  const time = tensor(normals(2, 4 * CHANNELS), [4, CHANNELS]);
  unet.forward(batch, time);
  const optimizer = new AdamW(unet.parameters, { learningRate: 1e-2 });
  const generator = new Generator(3);
  const losses: number[] = [];
  let plansMade = 0;
  for (let step = 0; step < steps; step++) {
    const noise = generator.normal(batch.shape);
    const { value, grads } = valueAndGrad(
      () => unet.forward(batch.add(noise), time).sub(noise).square().mean(),
      unet.parameters,
    );
    const clipped = clipByGlobalNorm(grads, 1);
    optimizer.step(clipped.grads, { realize: [value, clipped.norm], learningRate: 1e-2 / (step + 1) });
    losses.push(await value.item(), await clipped.norm.item());
    value.dispose();
    clipped.norm.dispose();
    if (step === 0) plansMade = planStatistics().plansMade;
  }
  const { last, plansMade: made } = planStatistics();
  optimizer.dispose();
  unet.dispose();
  return { losses, plan: last, plansAfterTheFirst: made - plansMade, parameters: unet.parameters.size };
}

describe.each(devices)('a training step on %s', (deviceName) => {
  const device = useDevice(deviceName);

  it('uses one plan, in less than 60 % of the memory of its intermediates, and leaves nothing behind', async () => {
    const { losses, plan, plansAfterTheFirst, parameters } = await train(3);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(plansAfterTheFirst).toBe(0);
    if (!plan) throw new Error('Nothing was run.');
    expect(plan.peakBytes / plan.intermediateBytes).toBeLessThan(0.6);
    const updates = plan.steps.filter(({ outputs }) => outputs.every(({ from }) => from === 'storage'));
    expect(updates.map(({ outputs }) => outputs.length)).toEqual(new Array(parameters).fill(3));
    await expectNoLeak(device());
  });

  it('gives the same bits when it is run again', async () => {
    const first = await train(2);
    const second = await train(2);
    expectSameBits(second.losses, first.losses, 'losses and norms');
  });
});
