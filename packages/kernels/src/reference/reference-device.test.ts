// The reference device: its forward kernels against definitions written out with plain loops, and what it refuses.
import { describe, expect, it } from 'vitest';
import { DmpoError } from '../errors.js';
import { type Kernel, kernelInputElements } from '../kernel.js';
import { expectClose } from '../testing/allclose.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { ReferenceDevice } from './reference-device.js';

const device = new ReferenceDevice({ poison: true });
const floats = (count: number) => new Array<'float32'>(count).fill('float32');
const near = (expected: number) => 1e-12 * (1 + Math.abs(expected));
const range = (length: number) => Array.from({ length }, (_, i) => i);
const sum = (terms: number[]) => terms.reduce((total, term) => total + term, 0);

async function run(kernel: Kernel, seed = 1) {
  const inputs = kernelInputElements(kernel).map((elements, i) => normals(seed + i, elements));
  return { inputs, outputs: await runKernel(device, kernel, inputs) };
}

describe('reference device', () => {
  it.each([
    [false, false, true, true],
    [true, false, false, true],
    [false, true, true, false],
    [true, true, true, true],
  ])(
    'multiplies matrices, transposed %s %s, batched %s %s',
    async (transposeA, transposeB, batchedA, batchedB) => {
      const [batch, m, n, k] = [2, 3, 4, 5];
      const sizes = { batch, m, n, k, transposeA, transposeB, batchedA, batchedB };
      const { inputs, outputs } = await run({ kind: 'matmul', ...sizes, inputs: floats(2), scalars: [] });
      const [a, b] = inputs;
      const at = (p: number, i: number, l: number) =>
        a[(batchedA ? p * m * k : 0) + (transposeA ? l * m + i : i * k + l)];
      const bt = (p: number, l: number, j: number) =>
        b[(batchedB ? p * k * n : 0) + (transposeB ? j * k + l : l * n + j)];
      const expected = range(batch).flatMap((p) =>
        range(m).flatMap((i) => range(n).map((j) => sum(range(k).map((l) => at(p, i, l) * bt(p, l, j))))),
      );
      expectClose(outputs[0], expected, near, 'matmul');
    },
  );

  it('convolves with strides, dilation and asymmetric padding, then applies the epilogue', async () => {
    const geometry = {
      batch: 2,
      inHeight: 6,
      inWidth: 5,
      inChannels: 2,
      outHeight: 3,
      outWidth: 5,
      outChannels: 3,
      kernelHeight: 3,
      kernelWidth: 2,
      strideHeight: 2,
      strideWidth: 1,
      padTop: 1,
      padLeft: 0,
      dilationHeight: 1,
      dilationWidth: 2,
    };
    const shape = [2, 3, 5, 3];
    const e = new ExpressionBuilder(shape);
    const bias = e.load(2, { view: { offset: 0, strides: [0, 0, 0, 1] } });
    const epilogue = { shape, expression: e.build(e.apply('exp', e.apply('add', e.accumulator(), bias))) };
    const { inputs, outputs } = await run({
      kind: 'conv2d',
      geometry,
      epilogue,
      inputs: floats(3),
      scalars: [],
    });
    const [x, w, b] = inputs;
    const pixel = (n: number, h: number, v: number, c: number) =>
      h < 0 || h >= 6 || v < 0 || v >= 5 ? 0 : x[((n * 6 + h) * 5 + v) * 2 + c];
    const expected: number[] = [];
    for (let n = 0; n < 2; n++) {
      for (let p = 0; p < 3; p++) {
        for (let q = 0; q < 5; q++) {
          for (let o = 0; o < 3; o++) {
            let total = b[o];
            for (let r = 0; r < 3; r++) {
              for (let s = 0; s < 2; s++) {
                for (let c = 0; c < 2; c++) {
                  total += pixel(n, 2 * p - 1 + r, q + 2 * s, c) * w[((o * 3 + r) * 2 + s) * 2 + c];
                }
              }
            }
            expected.push(Math.exp(total));
          }
        }
      }
    }
    expectClose(outputs[0], expected, near, 'conv2d');
  });

  it('normalises groups, with SiLU', async () => {
    const sizes = { batch: 2, positions: 3, channels: 4, groups: 2, epsilon: 0.01, silu: true };
    const { inputs, outputs } = await run({ kind: 'groupNorm', ...sizes, inputs: floats(3), scalars: [] });
    const [x, scale, shift] = inputs;
    const [y, mean, rstd] = outputs;
    range(4).forEach((statistic) => {
      const [image, group] = [Math.floor(statistic / 2), statistic % 2];
      const indices = range(6).map((i) => image * 12 + Math.floor(i / 2) * 4 + group * 2 + (i % 2));
      const average = sum(indices.map((i) => x[i])) / 6;
      const variance = sum(indices.map((i) => (x[i] - average) ** 2)) / 6;
      expect(mean[statistic]).toBeCloseTo(average, 12);
      expect(rstd[statistic]).toBeCloseTo((variance + 0.01) ** -0.5, 12);
      for (const i of indices) {
        const z = ((x[i] - average) / Math.sqrt(variance + 0.01)) * scale[i % 4] + shift[i % 4];
        expect(y[i]).toBeCloseTo(z / (1 + Math.exp(-z)), 12);
      }
    });
  });

  it('normalises rows', async () => {
    const { inputs, outputs } = await run({
      kind: 'layerNorm',
      rows: 3,
      channels: 5,
      epsilon: 1e-5,
      inputs: floats(3),
      scalars: [],
    });
    const [x, scale, shift] = inputs;
    const [y, mean, rstd] = outputs;
    range(3).forEach((row) => {
      const values = range(5).map((c) => x[row * 5 + c]);
      const average = sum(values) / 5;
      const deviation = Math.sqrt(sum(values.map((value) => (value - average) ** 2)) / 5 + 1e-5);
      expect(mean[row]).toBeCloseTo(average, 12);
      expect(rstd[row]).toBeCloseTo(1 / deviation, 12);
      values.forEach((value, c) => {
        expect(y[row * 5 + c]).toBeCloseTo(((value - average) / deviation) * scale[c] + shift[c], 12);
      });
    });
  });

  it('attends', async () => {
    const [batch, heads, queries, keys, headDim, scale] = [2, 2, 3, 4, 5, 0.7];
    const sizes = { batch, heads, queries, keys, headDim, scale };
    const { inputs, outputs } = await run({ kind: 'attention', ...sizes, inputs: floats(3), scalars: [] });
    const [q, k, v] = inputs;
    const [o, logSumExp] = outputs;
    const row = (data: Float32Array, tokens: number, b: number, t: number, h: number) =>
      data.subarray(((b * tokens + t) * heads + h) * headDim).subarray(0, headDim);
    for (const b of range(batch)) {
      for (const h of range(heads)) {
        for (const t of range(queries)) {
          const query = row(q, queries, b, t, h);
          const weights = range(keys).map((key) =>
            Math.exp(scale * sum(range(headDim).map((d) => query[d] * row(k, keys, b, key, h)[d]))),
          );
          expect(logSumExp[(b * heads + h) * queries + t]).toBeCloseTo(Math.log(sum(weights)), 12);
          for (const d of range(headDim)) {
            const expected =
              sum(weights.map((weight, key) => weight * row(v, keys, b, key, h)[d])) / sum(weights);
            expect(o[((b * queries + t) * heads + h) * headDim + d]).toBeCloseTo(expected, 12);
          }
        }
      }
    }
  });

  it('reduces an expression over inner, outer and no axes', async () => {
    const data = normals(1, 24);
    const e = new ExpressionBuilder([2, 3, 4]);
    const expression = e.build(e.apply('mul', e.load(0), e.constant(2)));
    const reduce = async (reduction: 'sum' | 'max' | 'mean', axes: number[]) => {
      const kernel: Kernel = {
        kind: 'reduce',
        reduction,
        shape: [2, 3, 4],
        axes,
        expression,
        inputs: floats(1),
        scalars: [],
      };
      return (await runKernel(device, kernel, [data]))[0];
    };
    const row = (i: number, j: number) => range(4).map((l) => 2 * data[(i * 3 + j) * 4 + l]);
    const column = (j: number, l: number) => range(2).map((i) => 2 * data[(i * 3 + j) * 4 + l]);
    const rows = range(2).flatMap((i) => range(3).map((j) => row(i, j)));
    const columns = range(3).flatMap((j) => range(4).map((l) => column(j, l)));
    expectClose(await reduce('sum', [2]), rows.map(sum), near, 'sum of rows');
    expectClose(
      await reduce('mean', [0]),
      columns.map((c) => sum(c) / 2),
      near,
      'mean of columns',
    );
    expectClose(await reduce('max', [0, 1, 2]), [Math.max(...data) * 2], near, 'maximum of all');
    expectClose(
      await reduce('sum', []),
      data.map((value) => 2 * value),
      near,
      'no axes',
    );
  });

  it('computes in float64', async () => {
    const e = new ExpressionBuilder([1]);
    const kernel: Kernel = {
      kind: 'map',
      inputs: floats(1),
      scalars: [],
      shape: [1],
      expression: e.build(e.apply('add', e.load(0), e.constant(1))),
    };
    const [output] = await runKernel(device, kernel, [[1e-12]]);
    expect(output).toEqual(Float64Array.of(1 + 1e-12));
  });

  it('refuses commands that do not fit their kernel', () => {
    const kernel: Kernel = { kind: 'softmax', rows: 2, columns: 3, inputs: floats(1), scalars: [] };
    const [large, other, small] = [24, 24, 20].map((byteLength) => device.allocate(byteLength));
    const submit = (inputs: object[], outputs: object[], scalars: number[] = []) =>
      expect(() =>
        device.submit([
          { kernel, inputs: inputs as (typeof large)[], outputs: outputs as (typeof large)[], scalars },
        ]),
      );
    submit([small], [large]).toThrow(/needs 6 elements in a buffer of 20 bytes/);
    submit([large], [small]).toThrow(/needs 6 elements/);
    submit([large, large], [other]).toThrow(/has 2 inputs, not 1/);
    submit([large], [other, small]).toThrow(/has 2 outputs, not 1/);
    submit([large], [other], [1]).toThrow(/has 1 scalars, not 0/);
    submit([large], [large]).toThrow(/writes the buffer of input 0/);
    submit([{ byteLength: 24 }], [large]).toThrow(DmpoError);
    for (const buffer of [large, other, small]) device.free(buffer);
  });
});
