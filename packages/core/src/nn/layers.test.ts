// Each layer against arithmetic by hand or its operation, and the initial weights against PyTorch.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { tensor } from '../ops/creation.js';
import type { Tensor } from '../tensor.js';
import { Attention } from './attention.js';
import { Conv2d } from './conv2d.js';
import { Embedding } from './embedding.js';
import { GroupNorm } from './group-norm.js';
import { HostGenerator } from './host-generator.js';
import { LayerNorm } from './layer-norm.js';
import { Linear } from './linear.js';

const numbers = async (x: Tensor) => Array.from(await x.data());

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...actual.map((x, i) => Math.abs(x - Number(expected[i]))));
  expect(worst).toBeLessThan(tolerance);
}

/** Rows [rows, inFeatures] through a linear layer's numbers, in float64. */
function linear(x: number[][], weight: number[], bias: number[] | undefined): number[][] {
  return x.map((row) =>
    Array.from({ length: weight.length / row.length }, (_, o) =>
      row.reduce((sum, value, i) => sum + value * Number(weight[o * row.length + i]), Number(bias?.[o] ?? 0)),
    ),
  );
}

const chunk = (list: number[], size: number) =>
  Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));

describe.each(devices)('layers on %s', (device) => {
  useDevice(device);

  it('Linear maps the last axis, with the initial weights of torch.nn.Linear', async () => {
    const layer = new Linear(3, 2, { generator: new HostGenerator(0) });
    const drawn = new HostGenerator(0);
    const [weight, bias] = [
      drawn.uniform(6, -(3 ** -0.5), 3 ** -0.5),
      drawn.uniform(2, -(3 ** -0.5), 3 ** -0.5),
    ];
    const x = new HostGenerator(1).normal(12);
    const y = layer.forward(tensor(x, [2, 2, 3]));
    expect(y.shape).toEqual([2, 2, 2]);
    expectClose(await numbers(y), linear(chunk([...x], 3), [...weight], [...bias]).flat(), 1e-5);
  });

  it('Linear without bias has none', async () => {
    const layer = new Linear(3, 2, { bias: false });
    expect([...layer.parameters().keys()]).toEqual(['weight']);
    expect(await numbers(layer.forward(tensor([[0, 0, 0]])))).toEqual([0, 0]);
  });

  // torch.manual_seed(0); x = torch.randn(...); layer = diffusers' Upsample2D(32, use_conv=True) or Downsample2D(32, use_conv=True);
  // layer(x)[0, -1, -3:, -3:], from the tests of diffusers.
  it.each([
    {
      name: 'doubling',
      size: 32,
      stride: 1,
      expected: [0.7145, 1.3773, 0.3492, 0.8448, 1.0839, -0.3341, 0.5956, 0.125, -0.4841],
    },
    {
      name: 'halving',
      size: 64,
      stride: 2,
      expected: [0.9267, 0.5878, 0.3337, 1.2321, -0.1191, -0.3984, -0.7532, -0.0715, -0.3913],
    },
  ])('Conv2d, $name an image, gives the numbers of diffusers', async ({ size, stride, expected }) => {
    const generator = new HostGenerator(0);
    const x = tensor(generator.normal(32 * size * size), [1, 32, size, size]).permute(0, 2, 3, 1);
    const conv = new Conv2d(32, 32, 3, { stride, padding: 1, generator });
    // The lower right corner of the image is enough for the lower right corner of the output.
    const corner = x.slice([0, size - 8, size - 8, 0], [1, size, size, 32]);
    const y = conv.forward(stride === 1 ? corner.upsampleNearest(2) : corner);
    const side = Number(y.shape[1]);
    const last = y.slice([0, side - 3, side - 3, 31], [1, side, side, 32]);
    expectClose(await numbers(last), expected, 1e-3);
  });

  it('GroupNorm normalises groups of channels over all positions', async () => {
    const layer = new GroupNorm(2, 4, { epsilon: 1e-3 });
    layer.weight.assign(Float32Array.of(1, 2, 3, 4));
    layer.bias.assign(Float32Array.of(0.5, 0, -1, 2));
    const x = [...new HostGenerator(2).normal(24)];
    const rows = chunk(x, 4);
    const normalised = (sample: number, row: number[]) =>
      row.map((value, channel) => {
        const group = channel < 2 ? 0 : 2;
        const members = rows
          .slice(3 * sample, 3 * sample + 3)
          .flatMap((other) => other.slice(group, group + 2));
        const mean = members.reduce((a, b) => a + b) / 6;
        const variance = members.reduce((sum, member) => sum + (member - mean) ** 2, 0) / 6;
        return (
          ((value - mean) / Math.sqrt(variance + 1e-3)) * (channel + 1) + Number([0.5, 0, -1, 2][channel])
        );
      });
    const expected = rows.flatMap((row, i) => normalised(Math.floor(i / 3), row));
    const input = tensor(Float32Array.from(x), [2, 3, 1, 4]);
    expectClose(await numbers(layer.forward(input)), expected, 1e-5);
    const activated = expected.map((value) => value / (1 + Math.exp(-value)));
    expectClose(await numbers(layer.forward(input, { activation: 'silu' })), activated, 1e-5);
  });

  it('LayerNorm normalises the last axis', async () => {
    const layer = new LayerNorm(3, { epsilon: 1e-3 });
    layer.weight.assign(Float32Array.of(1, 2, 3));
    layer.bias.assign(Float32Array.of(0.5, 0, -1));
    const x = [...new HostGenerator(3).normal(12)];
    const expected = chunk(x, 3).flatMap((row) => {
      const mean = row.reduce((a, b) => a + b) / 3;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3;
      return row.map(
        (value, i) => ((value - mean) / Math.sqrt(variance + 1e-3)) * (i + 1) + Number([0.5, 0, -1][i]),
      );
    });
    expectClose(await numbers(layer.forward(tensor(Float32Array.from(x), [2, 2, 3]))), expected, 1e-5);
  });

  it('Embedding gives rows of a normal table, and gradients to the rows it gave', async () => {
    const layer = new Embedding(8, 2, { generator: new HostGenerator(0) });
    const table = chunk([...new HostGenerator(0).normal(16)], 2);
    const rows = layer.forward(tensor(Int32Array.of(5, 0, 5, 7), [2, 2]));
    expect(rows.shape).toEqual([2, 2, 2]);
    expectClose(
      await numbers(rows),
      [5, 0, 5, 7].flatMap((row) => table[row] as number[]),
      1e-6,
    );
    const gradient = chunk(
      await numbers(grad(layer.forward(tensor(Int32Array.of(5, 0, 5))).sum(), layer.weight)),
      2,
    );
    expect(gradient).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
      [2, 2],
      [0, 0],
      [0, 0],
    ]);
  });

  it.each([{ contextDim: undefined }, { contextDim: 3 }])(
    'Attention attends per head, to itself or to a context ($contextDim)',
    async ({ contextDim }) => {
      const [heads, headDim, queryDim] = [2, 3, 4];
      const layer = new Attention(queryDim, {
        heads,
        headDim,
        bias: contextDim === undefined,
        generator: new HostGenerator(5),
        ...(contextDim === undefined ? {} : { contextDim }),
      });
      const hidden = [...new HostGenerator(6).normal(2 * 5 * queryDim)];
      const other = contextDim === undefined ? hidden : [...new HostGenerator(7).normal(2 * 7 * contextDim)];
      const otherDim = contextDim ?? queryDim;

      const project = async ({ weight, bias }: Linear, x: number[][]) =>
        linear(x, await numbers(weight), bias && (await numbers(bias)));
      const q = await project(layer.to_q, chunk(hidden, queryDim));
      const k = await project(layer.to_k, chunk(other, otherDim));
      const v = await project(layer.to_v, chunk(other, otherDim));
      const keys = k.length / 2;
      const attended = q.map((query, row) => {
        const first = row < 5 ? 0 : keys;
        return query.map((_, column) => {
          const head = Math.floor(column / headDim) * headDim;
          const scores = k.slice(first, first + keys).map((key) => {
            let score = 0;
            for (let d = head; d < head + headDim; d++) score += Number(query[d]) * Number(key[d]);
            return Math.exp(score / Math.sqrt(headDim));
          });
          const total = scores.reduce((a, b) => a + b);
          return scores.reduce((sum, score, i) => sum + (score / total) * Number(v[first + i]?.[column]), 0);
        });
      });
      const expected = (await project(layer.to_out[0], attended)).flat();

      const x = tensor(Float32Array.from(hidden), [2, 5, queryDim]);
      const context = contextDim && tensor(Float32Array.from(other), [2, 7, contextDim]);
      expectClose(await numbers(context ? layer.forward(x, context) : layer.forward(x)), expected, 1e-5);
      expect([...layer.parameters().keys()]).toEqual(
        contextDim === undefined
          ? ['to_q', 'to_k', 'to_v', 'to_out.0'].flatMap((name) => [`${name}.weight`, `${name}.bias`])
          : ['to_q.weight', 'to_k.weight', 'to_v.weight', 'to_out.0.weight', 'to_out.0.bias'],
      );
    },
  );
});
