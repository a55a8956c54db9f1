// Differentiation: structures of inputs, accumulation, detach, higher orders, vjp, checkpoints, and what is refused.
import { afterAll, describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../test/devices.js';
import { checkpoint, grad, valueAndGrad, vjp } from './grad.js';
import { attention } from './ops/attention.js';
import { tensor } from './ops/creation.js';
import { groupNorm } from './ops/group-norm.js';
import { Parameter } from './parameter.js';
import { planStatistics, realize, update } from './realize.js';
import type { Tensor } from './tensor.js';
import { expectClose, normals } from './testing/data.js';
import { expectError } from './testing/errors.js';
import { numbers } from './testing/read.js';

const random = (seed: number, shape: readonly number[]) =>
  tensor(
    normals(
      seed,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  );

const closely = (actual: number[], expected: number[]) =>
  expectClose(actual, expected, (x) => 1e-5 * (1 + Math.abs(x)), 'gradient');

describe.each(devices)('grad on %s', (deviceName) => {
  useDevice(deviceName);
  const x = tensor([1, 2, 3]);
  const y = tensor([4, 5, 6]);

  it('gives gradients in the structure of the inputs', async () => {
    const loss = x.mul(y).sum();
    expect(await numbers(grad(loss, x))).toEqual([4, 5, 6]);

    const [dx, dy]: [Tensor, Tensor] = grad(loss, [x, y]);
    expect([await numbers(dx), await numbers(dy)]).toEqual([
      [4, 5, 6],
      [1, 2, 3],
    ]);

    const named = grad(
      loss,
      new Map([
        ['second', y],
        ['first', x],
      ]),
    );
    expect([...named.keys()]).toEqual(['second', 'first']);
    expect(await numbers(named.get('first') as Tensor)).toEqual([4, 5, 6]);
  });

  it('gives the value beside the gradient', async () => {
    const { value, grads } = valueAndGrad(() => x.square().sum(), [x]);
    expect(await value.item()).toBe(14);
    expect(await numbers(grads[0])).toEqual([2, 4, 6]);
    value.dispose();
  });

  it('takes a function as well as a loss', async () => {
    expect(await numbers(grad(() => x.square().sum(), x))).toEqual([2, 4, 6]);
  });

  it('gives zeros of the right shape where the loss does not depend on an input', async () => {
    const far = random(1, [2, 3]);
    const [dx, dFar, dIndex] = grad(x.sum(), [x, far, tensor(Int32Array.of(1))]);
    expect(await numbers(dx)).toEqual([1, 1, 1]);
    expect(dFar.shape).toEqual([2, 3]);
    expect(await numbers(dFar)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await numbers(dIndex)).toEqual([0]);
    expect(await numbers(grad(x.argmax(0).cast('float32').add(x.lt(2).cast('float32').sum()), x))).toEqual([
      0, 0, 0,
    ]);
  });

  it('adds the gradients of all uses', async () => {
    const loss = x.mul(x).mul(x).add(x.mul(y)).add(x.permute(0)).sum();
    expect(await numbers(grad(loss, x))).toEqual([1, 2, 3].map((v, i) => 3 * v * v + 4 + i + 1));
    const [first, second] = grad(loss, [x, x]);
    expect(await numbers(first)).toEqual(await numbers(second));
  });

  it('differentiates by what is computed on the way', async () => {
    const hidden = x.mul(2);
    const [dHidden, dx] = grad(hidden.square().sum(), [hidden, x]);
    expect(await numbers(dHidden)).toEqual([4, 8, 12]);
    expect(await numbers(dx)).toEqual([8, 16, 24]);
    const loss = x.sum();
    expect(await numbers(grad(loss, loss))).toEqual([1]);
    const loose = x.sum(0, true);
    expect((await numbers(grad(loose, x))).concat(loose.shape)).toEqual([1, 1, 1, 1]);
  });

  it('goes through values that were read before', async () => {
    const hidden = x.exp();
    const loss = hidden.mul(y).sum();
    const values = await hidden.data();
    await loss.item();
    closely(
      await numbers(grad(loss, x)),
      [4, 5, 6].map((v, i) => v * values[i]),
    );
    hidden.dispose();
    loss.dispose();
  });

  it('stops at detach', async () => {
    expect(await numbers(x.exp().detach().log().detach())).toEqual(await numbers(x.exp().log()));
    expect(await numbers(grad(x.mul(x.detach()).sum(), x))).toEqual([1, 2, 3]);
    expect(await numbers(grad(x.detach().square().sum(), x))).toEqual([0, 0, 0]);
    const detached = x.square().detach();
    expect(await numbers(grad(detached.mul(3).sum(), detached))).toEqual([3, 3, 3]);
  });

  it('differentiates again and again', async () => {
    let derivative = x.pow(4).sum();
    const orders: number[][] = [];
    for (let order = 1; order <= 4; order++) {
      derivative = grad(derivative, x).sum();
      orders.push(await numbers(derivative));
    }
    expectClose(orders.flat(), [4 * 36, 12 * 14, 24 * 6, 24 * 3], () => 1e-3, 'derivatives of x^4');
  });

  it('weights several outputs by their cotangents', async () => {
    const outputs = [x.mul(y), x.sum()];
    const [dx, dy, nothing] = vjp(outputs, [tensor([1, 0, -1]), tensor(10)], [x, y, random(1, [2])]);
    expect(await numbers(dx as Tensor)).toEqual([14, 10, 4]);
    expect(await numbers(dy as Tensor)).toEqual([1, 0, -3].map((v) => v + 0));
    expect(nothing).toBeUndefined();
  });

  it('walks graphs deeper than the stack', async () => {
    let deep = x;
    for (let i = 0; i < 3000; i++) deep = deep.mul(1).reshape(i % 2 ? [3] : [3, 1]);
    expect(await numbers(grad(deep.sum(), x))).toEqual([1, 1, 1]);
  });
});

describe.each(devices)('checkpoints on %s', (deviceName) => {
  useDevice(deviceName);
  const x = random(1, [4, 8]);
  const weight = new Parameter(normals(2, 64), [8, 8]);
  afterAll(() => weight.dispose());
  const block = (h: Tensor) => h.matmul(weight).tanh().add(h).softmax().mul(h.sigmoid());

  const both = (loss: (wrap: typeof checkpoint) => Tensor, inputs: Tensor[]) =>
    [checkpoint, (fn: (...inputs: Tensor[]) => Tensor, ...list: Tensor[]) => fn(...list)].map((wrap) => {
      const { value, grads } = valueAndGrad(() => loss(wrap), inputs);
      return [value, ...grads];
    });

  const expectSame = async ([actual, expected]: Tensor[][]) => {
    for (const [i, one] of actual.entries()) closely(await numbers(one), await numbers(expected[i]));
  };

  it('change neither values nor gradients, of inputs and of captured parameters', async () => {
    await expectSame(both((wrap) => wrap(block, wrap(block, x)).square().mean(), [x, weight]));
  });

  it('nest, take several inputs, and may return an input', async () => {
    const y = random(3, [4, 8]);
    await expectSame(
      both(
        (wrap) => {
          const outer = wrap((a, b) => wrap(block, a.mul(b)).add(wrap(block, b)), x, y);
          return wrap((a) => a, outer)
            .mul(wrap((_, b) => b, x, y))
            .sum();
        },
        [x, y, weight],
      ),
    );
  });

  it('differentiate twice', async () => {
    const second = (wrap: typeof checkpoint) => {
      const first = grad(wrap(block, x).square().sum(), [x, weight]);
      return grad(first[0].square().sum().add(first[1].square().sum()), [x, weight]);
    };
    await expectSame([second(checkpoint), second((fn, ...inputs) => fn(...inputs))]);
  });

  it('hold fused operations', async () => {
    const images = random(5, [2, 3, 3, 8]);
    const norm = (h: Tensor) => {
      const tokens = groupNorm(h, undefined, undefined, { groups: 2, activation: 'silu' }).reshape(
        2,
        9,
        2,
        4,
      );
      return attention(tokens, tokens, tokens).reshape(2, 3, 3, 8).add(h);
    };
    await expectSame(both((wrap) => wrap(norm, wrap(norm, images)).square().sum(), [images]));
  });

  it('lower the peak of memory', () => {
    const wide = random(7, [256, 8]);
    const peak = (wrap: typeof checkpoint) => {
      let h = wide;
      for (let i = 0; i < 8; i++) h = wrap(block, h);
      realize(grad(h.square().sum(), weight));
      return planStatistics().last?.peakBytes ?? 0;
    };
    const without = peak((fn, ...inputs) => fn(...inputs));
    expect(peak(checkpoint)).toBeLessThan(0.7 * without);
  });
});

describe('mistakes in differentiation', () => {
  const device = useDevice('reference');
  const x = tensor([1, 2, 3]);

  it.each<[string, () => unknown, string, string[]]>([
    [
      'a loss of several elements',
      () => grad(x.square(), x),
      'SHAPE_MISMATCH',
      ['grad', '[3]', 'mean()', 'sum()'],
    ],
    [
      'a loss of integers',
      () => grad(x.cast('int32').sum(), x),
      'BAD_ARGUMENT',
      ['grad', 'int32', 'float32'],
    ],
  ])('refuses %s', async (_, action, code, parts) => {
    await expectError(action, code, ...parts);
  });

  it('refuses a loss that knows the earlier value of a parameter only', async () => {
    const parameter = new Parameter(Float32Array.of(2), [1]);
    const loss = parameter.square().sum();
    update([[parameter, parameter.mul(2)]]);
    await expectError(() => grad(loss, parameter), 'STALE_PARAMETER', '[1]');
    expect(await numbers(grad(parameter.square().sum(), parameter))).toEqual([8]);
    parameter.dispose();
    expect(device().memory().buffers).toBe(0);
  });
});
