// Loss scaling by PyTorch's rules, with infinities put in where it must notice them.
import { openDevice } from '@dmpo/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { expectNoLeak } from '../../../../test/memory.js';
import { autocast } from '../autocast.js';
import { grad } from '../grad.js';
import { tensor } from '../ops/creation.js';
import { Parameter } from '../parameter.js';
import { realize, setDevice } from '../realize.js';
import { expectError } from '../testing/errors.js';
import { numbers } from '../testing/read.js';
import { GradScaler } from './grad-scaler.js';
import { SGD } from './sgd.js';

describe('the scale', () => {
  it("follows PyTorch's defaults: 65536, halved after overflow, doubled after 2000 good steps in a row", () => {
    const scaler = new GradScaler();
    expect(scaler.scale).toBe(65536);
    scaler.update(false);
    expect(scaler.scale).toBe(32768);
    for (let step = 0; step < 1999; step++) scaler.update(true);
    expect(scaler.scale).toBe(32768);
    scaler.update(true);
    expect(scaler.scale).toBe(65536);
    for (let step = 0; step < 1500; step++) scaler.update(true);
    scaler.update(false);
    for (let step = 0; step < 1999; step++) scaler.update(true);
    expect(scaler.scale).toBe(32768);
  });

  it('continues from its state', () => {
    const first = new GradScaler({ growthInterval: 3 });
    first.update(true);
    first.update(true);
    const second = new GradScaler({ growthInterval: 3 });
    second.load(first.state());
    for (const scaler of [first, second]) scaler.update(true);
    expect(second.state()).toEqual(first.state());
    expect(second.scale).toBe(131072);
  });

  it('stays finite in float32', () => {
    const scaler = new GradScaler({ initialScale: 2 ** 127, growthInterval: 1 });
    scaler.update(true);
    expect(scaler.scale).toBe(2 ** 127);
  });

  it('refuses factors that would lead nowhere', async () => {
    await expectError(() => new GradScaler({ backoffFactor: 1 }), 'BAD_ARGUMENT', 'backoffFactor 1');
    await expectError(() => new GradScaler({ initialScale: 0 }), 'BAD_ARGUMENT', 'initialScale 0');
  });
});

describe.each(devices)('unscaling on %s', (name) => {
  useDevice(name);

  it('divides the gradients by the scale', async () => {
    const scaler = new GradScaler({ initialScale: 1024 });
    const x = tensor([1, -2, 3]);
    const { grads, areFinite } = scaler.unscale(
      new Map([['x', grad(scaler.scaleLoss(x.square().sum()), x)]]),
    );
    expect(await numbers(grads.get('x') ?? x)).toEqual([2, -4, 6]);
    expect(await numbers(areFinite)).toEqual([1]);
  });

  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])('notices one %s', async (bad) => {
    const good = new Float32Array(1000).fill(3e38);
    const spoilt = good.slice();
    spoilt[777] = bad;
    const gradients = (last: Float32Array) =>
      new Map([good, good, last].map((data, i) => [`${i}`, tensor(data)]));
    const scaler = new GradScaler();
    expect(await numbers(scaler.unscale(gradients(good)).areFinite)).toEqual([1]);
    expect(await numbers(scaler.unscale(gradients(spoilt)).areFinite)).toEqual([0]);
  });
});

describe.each(['reference', 'webgpu'] as const)('training with a scale on %s', (name) => {
  let device: Awaited<ReturnType<typeof openDevice>>;
  beforeAll(async () => {
    device = await openDevice(name, { poison: true });
    setDevice(device);
  });
  afterAll(async () => {
    await expectNoLeak(device);
    await device.close();
  });

  it('backs off until gradients fit float16, and finds those that would be lost without', async () => {
    const parameter = new Parameter(new Float32Array(4), [2, 2]);
    const parameters = new Map([['w', parameter]]);
    const optimizer = new SGD(parameters, { learningRate: 1 });
    const x = tensor([
      [1, 2],
      [3, 4],
    ] as const);
    // The gradient that reaches the product is 1e-9: less than float16 has, and with 2^48 more than it has.
    const loss = () =>
      autocast(() => x.matmul(parameter))
        .mul(1e-9)
        .sum();
    const scaler = new GradScaler({ initialScale: 2 ** 48 });
    let skipped = 0;
    for (let step = 0; step < 4; step++) {
      const scaled = new Map([['w', grad(scaler.scaleLoss(loss()), parameter)]]);
      const { grads, areFinite } = scaler.unscale(scaled);
      realize(areFinite, ...scaled.values());
      const [isGood] = await numbers(areFinite);
      if (isGood) optimizer.step(grads);
      else skipped++;
      scaler.update(isGood !== 0);
      for (const gradient of scaled.values()) gradient.dispose();
    }
    // 1e-9 * 2^k fits below 65504 from k = 45 on.
    expect(skipped).toBe(3);
    expect(scaler.scale).toBe(2 ** 45);
    expect(optimizer.steps).toBe(1);
    const [first, , third] = await parameter.data();
    expect(Math.abs(Number(first) / -4e-9 - 1)).toBeLessThan(2 ** -10);
    expect(Math.abs(Number(third) / -6e-9 - 1)).toBeLessThan(2 ** -10);
    optimizer.dispose();
    parameter.dispose();
  });
});
