// Optimisers against PyTorch's loops over single numbers; their plans; their state in files.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { HostGenerator } from '../nn/host-generator.js';
import { tensor } from '../ops/creation.js';
import { Parameter } from '../parameter.js';
import { planStatistics } from '../realize.js';
import { hostTensors, readSafetensors, writeSafetensors } from '../safetensors.js';
import type { Tensor } from '../tensor.js';
import { AdamW, type AdamWOptions } from './adamw.js';
import { clipByGlobalNorm } from './clip-by-global-norm.js';
import { ExponentialMovingAverage } from './exponential-moving-average.js';
import type { Optimizer } from './optimizer.js';
import { SGD, type SGDOptions } from './sgd.js';

const shapes = new Map([
  ['weight', [3, 2]],
  ['bias', [5]],
]);
const steps = 20;
const random = (seed: number, shape: number[]) =>
  new HostGenerator(seed).normal(shape.reduce((a, b) => a * b));

const makeParameters = () =>
  new Map([...shapes].map(([name, shape], i) => [name, new Parameter(random(i, shape), shape)]));

/** A different gradient for every step and parameter. */
const gradientData = (step: number) =>
  new Map([...shapes].map(([name, shape], i) => [name, random(100 * step + i, shape)]));

const gradients = (step: number) =>
  new Map([...gradientData(step)].map(([name, data]) => [name, tensor(data, shapes.get(name))]));

/** PyTorch's loops over single numbers, in float64: the parameter after each step. */
function adamw(p: number, gradient: (step: number) => number, options: Required<AdamWOptions>): number[] {
  const { learningRate, betas, epsilon, weightDecay } = options;
  let [m, v] = [0, 0];
  return Array.from({ length: steps }, (_, i) => {
    const g = gradient(i + 1);
    p *= 1 - learningRate * weightDecay;
    m = betas[0] * m + (1 - betas[0]) * g;
    v = betas[1] * v + (1 - betas[1]) * g * g;
    const correctedM = m / (1 - betas[0] ** (i + 1));
    const correctedV = v / (1 - betas[1] ** (i + 1));
    p -= (learningRate * correctedM) / (Math.sqrt(correctedV) + epsilon);
    return p;
  });
}

function sgd(p: number, gradient: (step: number) => number, options: Required<SGDOptions>): number[] {
  const { learningRate, momentum, nesterov, weightDecay } = options;
  let buffer = 0;
  return Array.from({ length: steps }, (_, i) => {
    const g = gradient(i + 1) + weightDecay * p;
    buffer = i === 0 ? g : momentum * buffer + g;
    p -= learningRate * (nesterov ? g + momentum * buffer : buffer);
    return p;
  });
}

describe.each(devices)('optimisers on %s', (device) => {
  useDevice(device);
  const tolerance = device === 'reference' ? 1e-12 : 2e-5;

  async function expectPath(
    make: (parameters: Map<string, Parameter>) => Optimizer,
    expected: (initial: number, gradient: (step: number) => number) => number[],
  ): Promise<void> {
    const parameters = makeParameters();
    const optimizer = make(parameters);
    const paths = new Map(
      [...shapes].map(([name, shape], i) => [
        name,
        Array.from(random(i, shape), (p, at) =>
          expected(p, (step) => Number(gradientData(step).get(name)?.[at])),
        ),
      ]),
    );
    for (let step = 1; step <= steps; step++) {
      optimizer.step(gradients(step));
      for (const [name, parameter] of parameters) {
        const actual = await parameter.data();
        paths.get(name)?.forEach((path, at) => {
          expect(Math.abs(Number(actual[at]) - Number(path[step - 1]))).toBeLessThan(tolerance);
        });
      }
    }
    expect(optimizer.steps).toBe(steps);
  }

  it.each([
    { learningRate: 0.1, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 },
    { learningRate: 0.03, betas: [0.5, 0.8], epsilon: 0.1, weightDecay: 0.5 },
  ] as const)('AdamW takes the steps of PyTorch: %o', async (options) => {
    await expectPath(
      (parameters) => new AdamW(parameters, options),
      (p, gradient) => adamw(p, gradient, options),
    );
  });

  it.each([
    { learningRate: 0.1, momentum: 0, nesterov: false, weightDecay: 0 },
    { learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.1 },
    { learningRate: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.01 },
  ])('SGD takes the steps of PyTorch: %o', async (options) => {
    await expectPath(
      (parameters) => new SGD(parameters, options),
      (p, gradient) => sgd(p, gradient, options),
    );
  });

  it('AdamW has the documented defaults', async () => {
    await expectPath(
      (parameters) => new AdamW(parameters, { learningRate: 0.01 }),
      (p, gradient) =>
        adamw(p, gradient, { learningRate: 0.01, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 }),
    );
  });

  it('a step of AdamW is one kernel per parameter, and the same plan at every learning rate', () => {
    const optimizer = new AdamW(makeParameters(), { learningRate: 0.1 });
    optimizer.step(gradients(1));
    expect(planStatistics().last?.steps.map(({ kernel }) => kernel.kind)).toEqual(['map', 'map']);
    const { plansMade } = planStatistics();
    optimizer.step(gradients(2), { learningRate: 0.01 });
    optimizer.step(gradients(3), { learningRate: 0.02 });
    expect(planStatistics().plansMade).toBe(plansMade);
  });

  it('clipping, AdamW and a moving average together are still one kernel per parameter', () => {
    const parameters = makeParameters();
    const optimizer = new AdamW(parameters, { learningRate: 0.1 });
    const average = new ExponentialMovingAverage(parameters);
    for (let step = 1; step <= 2; step++) {
      const { grads, norm } = clipByGlobalNorm(gradients(step), 1);
      optimizer.step(grads, { realize: [norm], followers: [average] });
      norm.dispose();
    }
    const written = planStatistics().last?.steps.filter(({ outputs }) =>
      outputs.some(({ from }) => from === 'storage'),
    );
    // The parameter, both moments and the average.
    expect(written?.map(({ kernel, outputs }) => [kernel.kind, outputs.length])).toEqual([
      ['map', 4],
      ['map', 4],
    ]);
  });

  it('a moving average is written in the plan of the step', async () => {
    const parameters = makeParameters();
    const optimizer = new AdamW(parameters, { learningRate: 0.1 });
    const average = new ExponentialMovingAverage(parameters);
    const { runs } = planStatistics();
    optimizer.step(gradients(1), { followers: [average] });
    expect(planStatistics().runs).toBe(runs + 1);
    const [values, averages] = [await hostTensors(parameters), await hostTensors(average.values)];
    for (const [name, { data }] of values) {
      Array.from(data).forEach((value, i) => {
        expect(averages.get(name)?.data[i]).toBeCloseTo(value, 6);
      });
    }
  });

  it('takes the learning rate of the step', async () => {
    const parameters = makeParameters();
    const optimizer = new SGD(parameters, { learningRate: 1000 });
    const before = await hostTensors(parameters);
    optimizer.step(gradients(1), { learningRate: 0 });
    expect(await hostTensors(parameters)).toEqual(before);
  });

  it('realizes the loss from the parameters as they were before the step', async () => {
    const x = new Parameter(Float32Array.of(3), [1]);
    const loss = x.square().sum();
    const parameters = new Map([['x', x]]);
    new SGD(parameters, { learningRate: 0.25 }).step(grad(loss, parameters), { realize: [loss] });
    expect(await loss.item()).toBe(9);
    expect(await x.item()).toBe(1.5);
  });

  it('refuses gradients that do not fit the parameters', () => {
    const optimizer = new SGD(makeParameters(), { learningRate: 1 });
    const incomplete = gradients(1);
    incomplete.delete('bias');
    expect(() => optimizer.step(incomplete)).toThrow('Missing: bias.');
    expect(optimizer.steps).toBe(0);
  });

  const toFileAndBack = async (state: ReadonlyMap<string, Tensor>) =>
    readSafetensors(writeSafetensors(await hostTensors(state))).tensors;

  it.each([
    ['AdamW', (parameters: Map<string, Parameter>) => new AdamW(parameters, { learningRate: 0.1 })],
    [
      'SGD',
      (parameters: Map<string, Parameter>) => new SGD(parameters, { learningRate: 0.1, momentum: 0.9 }),
    ],
  ] as const)('%s and a moving average continue bit for bit from their saved state', async (_, make) => {
    const parameters = makeParameters();
    const optimizer = make(parameters);
    const average = new ExponentialMovingAverage(parameters);
    for (let step = 1; step <= 3; step++) optimizer.step(gradients(step), { followers: [average] });
    const savedParameters = await toFileAndBack(parameters);
    const [savedOptimizer, savedAverage] = [
      await toFileAndBack(optimizer.state()),
      await toFileAndBack(average.state()),
    ];

    const resumed = makeParameters();
    for (const [name, parameter] of resumed)
      parameter.assign((await savedParameters.get(name)?.data()) ?? new Float32Array());
    const [resumedOptimizer, resumedAverage] = [make(resumed), new ExponentialMovingAverage(resumed)];
    await resumedOptimizer.load(savedOptimizer);
    await resumedAverage.load(savedAverage);
    expect(resumedOptimizer.steps).toBe(3);

    for (let step = 4; step <= 6; step++) {
      optimizer.step(gradients(step), { followers: [average] });
      resumedOptimizer.step(gradients(step), { followers: [resumedAverage] });
    }
    expect(await hostTensors(resumed)).toEqual(await hostTensors(parameters));
    expect(await hostTensors(resumedOptimizer.state())).toEqual(await hostTensors(optimizer.state()));
    expect(await hostTensors(resumedAverage.values)).toEqual(await hostTensors(average.values));
  });

  it.each([Number.NaN, -0.1, Number.POSITIVE_INFINITY])('refuses a learning rate of %s', (learningRate) => {
    const parameters = makeParameters();
    const optimizer = new AdamW(parameters, { learningRate: 0.1 });
    expect(() => optimizer.step(parameters, { learningRate })).toThrow(`learning rate ${learningRate}`);
    expect(optimizer.steps).toBe(0);
  });

  it('refuses a state of other shapes, and one without the number of steps', async () => {
    const optimizer = new AdamW(makeParameters(), { learningRate: 0.1 });
    const other = new AdamW(new Map([['weight', new Parameter(Float32Array.of(1), [1])]]), {
      learningRate: 0.1,
    });
    await expect(optimizer.load(other.state())).rejects.toThrow(
      'Missing: firstMoment.bias, secondMoment.bias. Misshapen: ',
    );
    const state = optimizer.state();
    state.delete('step');
    await expect(optimizer.load(state)).rejects.toThrow('no int32 tensor "step"');
  });
});
