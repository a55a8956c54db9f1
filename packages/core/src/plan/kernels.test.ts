// Fusion: which kernels a graph becomes. What they compute is tested elsewhere; here they are counted.
import { describe, expect, it } from 'vitest';
import { useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { conv2d } from '../ops/conv2d.js';
import { tensor } from '../ops/creation.js';
import { groupNorm } from '../ops/group-norm.js';
import { concat } from '../ops/movement.js';
import { AdamW } from '../optim/adamw.js';
import { clipByGlobalNorm } from '../optim/clip-by-global-norm.js';
import { ExponentialMovingAverage } from '../optim/exponential-moving-average.js';
import { Parameter } from '../parameter.js';
import { planStatistics, realize, update } from '../realize.js';
import type { Tensor } from '../tensor.js';
import { normals } from '../testing/data.js';
import { count } from '../testing/plain.js';
import type { Plan, Step } from './plan.js';

const random = (seed: number, ...shape: number[]) => tensor(normals(seed, count(shape)), shape);

/** The plan of what was run last. */
function lastPlan(): Plan {
  const { last } = planStatistics();
  if (!last) throw new Error('Nothing was run.');
  return last;
}

/** The kernels that compute tensors: their kinds in order, '+' where an epilogue is in them. */
function kernels(...tensors: Tensor[]): string[] {
  realize(...tensors);
  const { steps } = lastPlan();
  for (const one of tensors) one.dispose();
  return steps.map(describeStep);
}

const describeStep = ({ kernel }: Step) => ('epilogue' in kernel ? `${kernel.kind}+` : kernel.kind);

describe('fusion', () => {
  const device = useDevice('reference');
  const x = random(1, 2, 4, 4, 3);
  const filters = random(2, 5, 3, 3, 3);
  const bias = random(3, 5);
  const residual = random(4, 2, 4, 4, 5);
  const embedding = random(5, 2, 1, 1, 5);
  const rows = random(6, 8, 3);
  const weight = random(7, 5, 3);

  it.each<[string, () => Tensor[], string[]]>([
    ['a chain of pointwise operations is one map', () => [x.mul(2).add(1).silu().exp().sqrt()], ['map']],
    [
      'movements cost nothing',
      () => [x.permute(3, 0, 1, 2).slice([1, 0, 0, 0], [3, 2, 4, 4]).mul(2)],
      ['map'],
    ],
    ['a reduction computes what it reduces', () => [x.sub(x.square()).exp().sum([1, 2])], ['reduce']],
    [
      'a loss is one reduction',
      () => [
        rows
          .sub(random(8, 8, 3))
          .square()
          .mean(),
      ],
      ['reduce'],
    ],
    ['what follows a reduction is a map', () => [x.sum([1, 2]).exp()], ['reduce', 'map']],
    [
      'bias, activation and residual go into a convolution',
      () => [conv2d(x, filters, { padding: 1 }).add(bias).silu().add(residual)],
      ['conv2d+'],
    ],
    [
      'bias and time embedding go into a convolution',
      () => [conv2d(x, filters, { padding: 1 }).add(bias).add(embedding).mul(0.5)],
      ['conv2d+'],
    ],
    [
      'bias and activation go into a matrix product',
      () => [rows.matmul(weight.transpose()).add(bias).gelu()],
      ['matmul+'],
    ],
    [
      'a product reshaped to heads stays one kernel',
      () => [rows.matmul(weight.transpose()).reshape(2, 4, 5).add(bias)],
      ['matmul+'],
    ],
    [
      'an epilogue feeds a normalisation',
      () => [groupNorm(conv2d(x, filters).add(bias), bias, bias, { groups: 1, activation: 'silu' })],
      ['conv2d+', 'groupNorm'],
    ],
    [
      'a product that somebody else reads keeps its own result',
      () => {
        const product = rows.matmul(weight.transpose());
        return [product.add(1).exp(), product];
      },
      ['matmul', 'map'],
    ],
    [
      'a product that is read in another order is stored first',
      () => [
        rows
          .matmul(weight.transpose())
          .transpose()
          .add(random(9, 5, 8)),
      ],
      ['matmul', 'map'],
    ],
    ['joined tensors are read where they lie', () => [concat([x, x.square()], 3).relu()], ['map', 'map']],
    [
      'a costly value that is repeated is computed once per element',
      () => [embedding.exp().add(residual).sum(0), embedding.exp().mul(residual).sum(0)],
      ['map', 'reduce', 'map', 'reduce'],
    ],
    [
      'a costly value that two kernels need is computed once',
      () => {
        const shared = residual.exp();
        return [shared.sum(0), shared.sum(1)];
      },
      ['map', 'reduce', 'reduce'],
    ],
    [
      'a cheap value that two kernels need is computed twice',
      () => {
        const shared = residual.add(1);
        return [shared.sum(0), shared.sum(1)];
      },
      ['reduce', 'reduce'],
    ],
    [
      'values that are wanted with what is made of them come from one map',
      () => {
        const base = x.exp();
        const next = base.mul(x).tanh();
        return [base, next, next.add(base)];
      },
      ['map'],
    ],
    ['a constant tensor is no kernel of its own', () => [x.mul(tensor(3)).add(tensor(1))], ['map']],
  ])('%s', (_, make, expected) => {
    expect(kernels(...make())).toEqual(expected);
  });

  it('splits what reads more buffers than a device binds', () => {
    const many = Array.from({ length: 20 }, (_, i) => random(i, 6));
    const sum = many.reduce((total, one) => total.add(one));
    realize(sum);
    const { steps } = lastPlan();
    // Seven terms, and then six more with every kernel.
    expect(steps.length).toBe(4);
    for (const { inputs, outputs } of steps) expect(inputs.length + outputs.length).toBeLessThanOrEqual(8);
    sum.dispose();
  });

  it('reads the filters, gradients and activations of a convolution without copies', () => {
    const loss = conv2d(x, filters, { padding: 1 }).add(bias).sum();
    const kinds = kernels(...grad(loss.mul(2), [x, filters, bias]));
    expect(kinds.filter((kind) => kind !== 'map').sort()).toEqual([
      'conv2dFilterGrad',
      'conv2dInputGrad',
      'reduce',
    ]);
  });

  it('updates in place, one kernel per parameter, for AdamW with clipping and averaging', () => {
    const parameters = new Map([
      ['weight', new Parameter(normals(1, 12), [3, 4])],
      ['bias', new Parameter(normals(2, 3), [3])],
    ]);
    const optimizer = new AdamW(parameters, { learningRate: 0.1 });
    const average = new ExponentialMovingAverage(parameters, { decay: 0.99 });
    const gradients = new Map([
      ['weight', random(3, 3, 4)],
      ['bias', random(4, 3)],
    ]);
    optimizer.step(gradients);
    const plain = lastPlan();
    expect(plain.steps.map(describeStep)).toEqual(['map', 'map']);
    for (const { inputs, outputs } of plain.steps) {
      expect(outputs.map(({ from }) => from)).toEqual(['storage', 'storage', 'storage']);
      expect(inputs.map((ref) => JSON.stringify(ref))).toEqual(
        expect.arrayContaining(outputs.map((ref) => JSON.stringify(ref))),
      );
    }
    // Nothing but the gradients, which come from the host.
    expect(plain.intermediateBytes).toBe(4 * 15);

    optimizer.step(clipByGlobalNorm(gradients, 1).grads, { followers: [average] });
    const maps = lastPlan().steps.filter(
      ({ kernel }) => kernel.kind === 'map' && kernel.expression.results.length > 1,
    );
    expect(maps.map(({ outputs }) => outputs.length)).toEqual([4, 4]);
    optimizer.dispose();
    average.dispose();
    for (const parameter of parameters.values()) parameter.dispose();
    expect(device().memory().buffers).toBe(0);
  });

  it('binds eight buffers when the eighth input is what it updates', () => {
    const parameter = new Parameter(normals(9, 6), [6]);
    const others = Array.from({ length: 7 }, (_, i) => random(i, 6));
    const half = (list: Tensor[]) => list.reduce((sum, one) => sum.add(one)).tanh();
    const gate = half(others.slice(0, 4));
    const value = parameter
      .mul(gate)
      .add(half(others.slice(4)))
      .sub(gate.square());
    update([[parameter, value]]);
    const { steps } = lastPlan();
    expect(steps.map(describeStep)).toEqual(['map']);
    expect(steps[0].inputs.length).toBe(8);
    parameter.dispose();
  });

  it('copies only what an update cannot write in place', () => {
    const [a, b] = [new Parameter(normals(1, 4), [2, 2]), new Parameter(normals(2, 4), [2, 2])];
    const steps = (...updates: [Parameter, Tensor][]) => {
      update(updates);
      return lastPlan().steps.map(describeStep);
    };
    expect(steps([a, a.mul(2)])).toEqual(['map']);
    expect(steps([a, b.mul(2)], [b, b.add(1)])).toEqual(['map', 'map']);
    expect(steps([a, a.add(b)], [b, b.mul(2)])).toEqual(['map', 'map']);
    expect(steps([a, b.matmul(b)])).toEqual(['matmul']);
    expect(steps([a, a.matmul(b)])).toEqual(['matmul', 'map']);
    expect(steps([a, a.transpose()])).toEqual(['map', 'map']);
    a.dispose();
    b.dispose();
  });
});
