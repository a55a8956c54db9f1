// Running graphs: plans found again, values kept and given back, updates in place, and what is refused.
import { type Device, DmpoError } from '@dmpo/kernels';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../test/devices.js';
import { expectNoLeak, liveBuffers } from '../../../test/memory.js';
import { grad } from './grad.js';
import { conv2d } from './ops/conv2d.js';
import { full, ones, tensor } from './ops/creation.js';
import { Parameter } from './parameter.js';
import { currentDevice, openDevice, planStatistics, realize, setDevice, update } from './realize.js';
import type { Tensor } from './tensor.js';
import { Choices, expectClose, expectSameBits, forAll, normals, seeds } from './testing/data.js';
import { expectError } from './testing/errors.js';
import { numbers } from './testing/read.js';

it('refuses to compute before a device is open', async () => {
  await expectError(() => currentDevice(), 'NO_DEVICE', 'openDevice');
  await expectError(() => tensor([1, 2]).add(1).data(), 'NO_DEVICE', 'openDevice');
  await expectError(() => realize(tensor([1])), 'NO_DEVICE', 'openDevice');
});

const parameters = (...values: number[][]) =>
  values.map((v) => new Parameter(Float32Array.from(v), [v.length]));
const disposeAll = (list: readonly Tensor[]) => list.forEach((one) => void one.dispose());

describe.each(devices)('realize on %s', (deviceName) => {
  const device = useDevice(deviceName);
  const x = tensor([1, 2, 3]);

  it('forgets how a detached realized tensor was computed, and shares its memory', async () => {
    let state = x.mul(2);
    realize(state);
    const before = await liveBuffers(device());
    for (let turn = 0; turn < 3; turn++) {
      const next = state.add(1);
      realize(next);
      state.dispose();
      state = next.detach();
      expect(state.node.kind).toBe('storage');
    }
    expect(await liveBuffers(device())).toBe(before);
    expect(await numbers(state)).toEqual([5, 7, 9]);
    expect(await numbers(grad(state.square().sum(), x))).toEqual([0, 0, 0]);
    const late = state.add(1);
    state.dispose();
    expect(await liveBuffers(device())).toBe(before - 1);
    await expectError(() => late.data(), 'DISPOSED', 'before disposing');
    await expectError(() => state.data(), 'DISPOSED', 'before disposing');
  });

  it('computes several tensors in one plan', async () => {
    const shared = x.exp();
    const tensors = [shared.add(1), shared.mul(2), shared.sum(), shared];
    const { runs } = planStatistics();
    realize(...tensors);
    expect(planStatistics().runs).toBe(runs + 1);
    expect(await tensors[2].item()).toBeCloseTo(Math.E + Math.E ** 2 + Math.E ** 3, 4);
    expect(planStatistics().runs).toBe(runs + 1);
    disposeAll(tensors);
  });

  it('keeps what was asked for, and computes it again when it was disposed', async () => {
    const y = x.mul(2);
    expect(Array.from(await y.data())).toEqual([2, 4, 6]);
    const { runs } = planStatistics();
    expect(Array.from(await y.data())).toEqual([2, 4, 6]);
    expect(planStatistics().runs).toBe(runs);
    y.dispose();
    y.dispose();
    expect(Array.from(await y.data())).toEqual([2, 4, 6]);
    expect(planStatistics().runs).toBe(runs + 1);
    y.dispose();
  });

  it('starts from what is realized', async () => {
    const y = x.exp();
    realize(y);
    const z = y.add(1);
    realize(z);
    const kinds = planStatistics().last?.steps.flatMap(({ kernel }) =>
      kernel.kind === 'map' ? kernel.expression.instructions.map(({ op }) => op) : [],
    );
    expect(kinds).toEqual(['load', 'scalar', 'add']);
    disposeAll([y, z]);
  });

  it('finds a plan again for other numbers, and sees them', async () => {
    const step = (data: number[], rate: number) => tensor(data).mul(rate).add(tensor(rate)).sum();
    const { plansMade } = planStatistics();
    const values: number[] = [];
    for (const [i, rate] of [0.5, -2, 0].entries()) values.push(...(await numbers(step([i, 1, 2], rate))));
    expect(values).toEqual([3, -14, 0].map((v) => v + 0));
    expect(planStatistics().plansMade).toBe(plansMade + 1);
  });

  // Plans outlive a device: lengths that no other test has.
  const length = 20 + devices.indexOf(deviceName);
  const data = normals(1, length);

  it.each<[string, () => Tensor]>([
    ['a shape', () => tensor(data, [length, 1]).div(2).sum()],
    ['an operation', () => tensor(data).div(2).mean()],
    ['a dtype', () => tensor(data, [length], 'int32').cast('float32').div(2).sum()],
    ['wiring', () => [tensor(data)].map((a) => a.div(2).div(a).sum())[0]],
    ['what is asked for', () => tensor(data).div(2)],
    ['an axis', () => tensor(data).div(2).sum(0, true)],
    [
      'a constant',
      () =>
        tensor(data)
          .div(ones([length]))
          .sum(),
    ],
  ])('makes another plan for another structure: %s', async (_, other) => {
    await numbers(tensor(data).div(2).sum());
    const { plansMade } = planStatistics();
    await numbers(tensor(normals(2, length)).div(3).sum());
    expect(planStatistics().plansMade).toBe(plansMade);
    await numbers(other());
    expect(planStatistics().plansMade).toBe(plansMade + 1);
  });

  it('tells apart one tensor used twice and two tensors alike', async () => {
    const [a, b] = [tensor([1, 2]), tensor([10, 20])];
    expect(await numbers(a.mul(a))).toEqual([1, 4]);
    expect(await numbers(a.mul(b))).toEqual([10, 40]);
    realize(a, b);
    expect(await numbers(a.mul(a))).toEqual([1, 4]);
    expect(await numbers(a.mul(b))).toEqual([10, 40]);
    disposeAll([a, b]);
  });

  it('forgets the plan that was unused for longest', async () => {
    const sumOf = (n: number) => tensor(new Float32Array(n)).square().sum();
    for (let n = 1; n <= 70; n++) await numbers(sumOf(n));
    const { plansMade } = planStatistics();
    await numbers(sumOf(70));
    await numbers(sumOf(20));
    expect(planStatistics().plansMade).toBe(plansMade);
    await numbers(sumOf(2));
    expect(planStatistics().plansMade).toBe(plansMade + 1);
  });

  it('holds memory for what was asked for only', async () => {
    const before = await liveBuffers(device());
    const host = tensor(normals(1, 1000), [10, 100]);
    const loss = host.matmul(host.transpose()).softmax().log().mean();
    realize(loss, host.sum(1));
    expect(await liveBuffers(device(), before + 1)).toBeLessThanOrEqual(before + 2);
    loss.dispose();
    await expectNoLeak(device(), before);
  });

  it('frees memory at the end of a scope', () => {
    const before = device().memory().buffers;
    {
      using y = x.add(1);
      realize(y);
      expect(device().memory().buffers).toBe(before + 1);
    }
    expect(device().memory().buffers).toBe(before);
  });

  it('gives the same bits every time', async () => {
    const images = tensor(normals(1, 2 * 8 * 8 * 4), [2, 8, 8, 4]);
    const filters = tensor(normals(2, 4 * 9 * 4), [4, 3, 3, 4]);
    const run = () => {
      const y = conv2d(images, filters, { padding: 1 }).silu();
      return numbers(grad(y.matmul(y.transpose()).softmax().square().mean(), filters));
    };
    const first = await run();
    expectSameBits(await run(), first, 'a repeated gradient');
  });

  it('reads every dtype as its own array', async () => {
    const arrays = await Promise.all(
      [x, x.cast('int32'), x.cast('uint32'), x.lt(2)].map(async (one) => {
        const data = await one.data();
        one.dispose();
        return data.constructor.name;
      }),
    );
    const floats = deviceName === 'reference' ? 'Float64Array' : 'Float32Array';
    expect(arrays).toEqual([floats, 'Int32Array', 'Uint32Array', 'Uint8Array']);
  });

  it('gives memory back when a device runs out of it', async () => {
    const whole = device();
    const sum = () => x.reshape(3, 1).matmul(x.reshape(1, 3)).softmax().sum(1);
    for (let allowed = 0; ; allowed++) {
      const before = whole.memory().buffers;
      setDevice(withLimit(whole, allowed));
      const result = sum();
      const error = await numbers(result).then(
        () => undefined,
        (thrown: DmpoError) => thrown.code,
      );
      setDevice(whole);
      expect(await liveBuffers(whole, before)).toBe(before);
      if (error === undefined) {
        expect(allowed).toBeGreaterThan(1);
        break;
      }
      expect(error).toBe('OUT_OF_MEMORY');
    }
  });

  it('refuses a number out of several', async () => {
    const y = x.add(1);
    await expectError(() => y.item(), 'NOT_A_SCALAR', 'item', '[3]');
    expect(await full([1, 1], 7).item()).toBe(7);
    y.dispose();
  });

  it('refuses tensors of another device', async () => {
    const y = x.add(1);
    const parameter = new Parameter(Float32Array.of(1, 2, 3), [3]);
    realize(y, parameter.add(0));
    const other = await openDevice('reference');
    await expectError(() => y.add(1).data(), 'WRONG_DEVICE', '[3]', deviceName, 'reference');
    await expectError(() => realize(parameter.mul(2)), 'WRONG_DEVICE', '[3]');
    expect(Array.from(await y.data())).toEqual([2, 3, 4]);
    setDevice(device());
    await other.close();
    disposeAll([y, parameter]);
  });
});

/** A device that runs out of memory after some allocations. */
function withLimit(device: Device, allowed: number): Device {
  let left = allowed;
  return new Proxy(device, {
    get(target, name) {
      if (name === 'allocate')
        return (bytes: number) => {
          if (left-- <= 0) throw new DmpoError('OUT_OF_MEMORY', 'No memory is left.', 'Use a smaller batch.');
          return target.allocate(bytes);
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe.each(devices)('update on %s', (deviceName) => {
  const device = useDevice(deviceName);

  it('computes every new value from the old ones', async () => {
    const [a, b, c] = parameters([1, 2], [3, 4], [5, 6]);
    update([
      [a, b],
      [b, a],
      [c, a.add(b)],
    ]);
    expect([await numbers(a), await numbers(b), await numbers(c)]).toEqual([
      [3, 4],
      [1, 2],
      [4, 6],
    ]);
    const [d, e, f] = parameters([1, 2], [3, 4], [5, 6]);
    update([
      [d, e.mul(10)],
      [e, f.mul(10)],
      [f, d.mul(10)],
    ]);
    expect([await numbers(d), await numbers(e), await numbers(f)]).toEqual([
      [30, 40],
      [50, 60],
      [10, 20],
    ]);
    disposeAll([a, b, c, d, e, f]);
  });

  it('writes a value that reads its own parameter elsewhere', async () => {
    const square = new Parameter(Float32Array.of(1, 2, 3, 4), [2, 2]);
    update([[square, square.transpose()]]);
    expect(Array.from(await square.data())).toEqual([1, 3, 2, 4]);
    update([[square, square.add(square.transpose())]]);
    expect(Array.from(await square.data())).toEqual([2, 5, 5, 8]);
    update([[square, square.matmul(square)]]);
    expect(Array.from(await square.data())).toEqual([29, 50, 50, 89]);
    update([[square, square.sub(square.sum(0, true))]]);
    expect(Array.from(await square.data())).toEqual([-50, -89, -29, -50]);
    square.dispose();
  });

  it('realizes other tensors from the old values in the same plan', async () => {
    const [p] = parameters([1, 2]);
    const { runs } = planStatistics();
    const [loss, next, flat] = [p.square().sum(), p.mul(3), p.reshape(2, 1)];
    update([[p, next]], [loss, next, flat]);
    expect(planStatistics().runs).toBe(runs + 1);
    expect([await numbers(loss), await numbers(next), await numbers(flat), await numbers(p)]).toEqual([
      [5],
      [3, 6],
      [1, 2],
      [3, 6],
    ]);
    p.dispose();
  });

  it('writes one value into two parameters, and a host array into one', async () => {
    const [a, b, c] = parameters([1, 2], [3, 4], [5, 6]);
    const value = a.add(b);
    update([
      [a, value],
      [b, value],
      [c, tensor([8, 9])],
    ]);
    expect([await numbers(a), await numbers(b), await numbers(c)]).toEqual([
      [4, 6],
      [4, 6],
      [8, 9],
    ]);
    disposeAll([a, b, c]);
  });

  it('agrees with plain arithmetic for any wiring of updates', async () => {
    await forAll(
      fc.record({ count: fc.integer({ min: 1, max: 6 }), seed: seeds }),
      40,
      async ({ count, seed }) => {
        const choices = new Choices(seed);
        const before = Array.from({ length: count }, (_, i) => [...normals(seed + i, 4)]);
        const list = before.map((values) => new Parameter(Float32Array.from(values), [2, 2]));
        const transposed = (v: number[]) => [v[0], v[2], v[1], v[3]];
        const productOf = (u: number[], v: number[]) =>
          [0, 1, 2, 3].map((at) => u[at & 2] * v[at & 1] + u[(at & 2) + 1] * v[2 + (at & 1)]);
        const expressions: [Tensor, number[]][] = [];
        for (let made = 0; made < count; made++) {
          const [i, j, k] = [choices.below(count), choices.below(count), choices.below(count)];
          const [a, b, c] = [list[i], list[j], list[k]];
          const [u, v, w] = [before[i], before[j], before[k]];
          const [lastTensor, lastValues] = expressions.at(-1) ?? [c, w];
          const options: [Tensor, number[]][] = [
            [a, u],
            [a.transpose(), transposed(u)],
            [a.mul(b).add(c), u.map((x, at) => x * v[at] + w[at])],
            [a.sub(b.transpose()).tanh(), transposed(v).map((x, at) => Math.tanh(u[at] - x))],
            // From another parameter's new value, which may already lie where an old one is read.
            [lastTensor.tanh().mul(a), u.map((x, at) => Math.tanh(lastValues[at]) * x)],
            [lastTensor.add(a.sin()), u.map((x, at) => lastValues[at] + Math.sin(x))],
            [a.matmul(b), productOf(u, v)],
          ];
          expressions.push(choices.of(options));
        }
        const extra = list[0].add(list[count - 1]);
        update(
          list.map((parameter, i) => [parameter, expressions[i][0]]),
          [extra],
        );
        for (const [i, parameter] of list.entries())
          expectClose(await numbers(parameter), expressions[i][1], () => 1e-5, `parameter ${i}`);
        expectClose(
          await numbers(extra),
          before[0].map((x, at) => x + before[count - 1][at]),
          () => 1e-5,
          'extra',
        );
        disposeAll(list);
        expect(device().memory().buffers).toBe(0);
      },
    );
  });

  it('makes what depends on an earlier value an error', async () => {
    const [p] = parameters([1, 2]);
    const dependent = p.exp();
    const kept = p.add(1);
    const detached = p.detach();
    const viewed = p.reshape(2, 1);
    realize(kept, detached);
    update([[p, p.mul(2)]]);
    for (const stale of [dependent, viewed, detached, dependent.sum(), kept.add(dependent)])
      await expectError(() => stale.data(), 'STALE_PARAMETER', '[2]', 'update');
    expect(await numbers(kept)).toEqual([2, 3]);
    await expectError(() => kept.data(), 'STALE_PARAMETER');
    expect(await numbers(p.detach().add(0))).toEqual([2, 4]);
    p.dispose();
  });

  it('leaves a parameter alone when its detached value is disposed', async () => {
    const [p] = parameters([1, 2]);
    const detached = p.detach();
    expect(await numbers(detached)).toEqual([1, 2]);
    expect(Array.from(await p.data())).toEqual([1, 2]);
    p.dispose();
    const source = tensor([1, 2]).exp();
    const copy = source.detach();
    realize(copy);
    copy.dispose();
    expect(device().memory().buffers).toBe(0);
  });

  it('refuses values that do not fit', async () => {
    const [p, q] = parameters([1, 2], [3, 4]);
    const refusals: [() => void, ...string[]][] = [
      [() => update([[p, tensor([1, 2, 3])]]), '[3]', '[2]'],
      [() => update([[p, tensor(Int32Array.of(1, 2))]]), 'int32'],
      [
        () =>
          update([
            [p, q],
            [p, q.mul(2)],
          ]),
        'twice',
      ],
    ];
    for (const [action, ...parts] of refusals) await expectError(action, 'BAD_ARGUMENT', 'update', ...parts);
    expect(Array.from(await p.data())).toEqual([1, 2]);
    disposeAll([p, q]);
  });
});
