// Mixed precision: what is stored as float16, that it is computed in float32, and that gradients find their way.
import { type DType, kernelOutputs, openDevice } from '@dmpo/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak } from '../../../test/memory.js';
import { roundFloat16 } from '../../kernels/src/float16.js';
import { autocast } from './autocast.js';
import { checkpoint, grad } from './grad.js';
import { Linear } from './nn/linear.js';
import { conv2d } from './ops/conv2d.js';
import { full, tensor } from './ops/creation.js';
import { groupNorm } from './ops/group-norm.js';
import { planStatistics, realize, setDevice } from './realize.js';
import { hostTensors, readSafetensors, writeSafetensors } from './safetensors.js';
import type { Tensor } from './tensor.js';
import { expectClose, expectSameBits, normals } from './testing/data.js';
import { expectError } from './testing/errors.js';
import { numbers } from './testing/read.js';

const random = (seed: number, shape: readonly number[]) =>
  tensor(
    normals(
      seed,
      shape.reduce((product, size) => product * size, 1),
    ),
    shape,
  );

/** The dtypes of the operands of each product or convolution of the plan that ran last. */
function operandTypes(): DType[][] {
  const steps = planStatistics().last?.steps ?? [];
  return steps
    .filter(({ kernel }) => kernel.kind === 'matmul' || kernel.kind.startsWith('conv2d'))
    .map(({ kernel }) => kernel.inputs.slice(0, 2));
}

const countOf = (kind: string) =>
  planStatistics().last?.steps.filter(({ kernel }) => kernel.kind === kind).length;

/** The dtypes of what the kernels of one kind wrote in the plan that ran last. */
function typesWritten(kind: string): DType[] {
  const steps = planStatistics().last?.steps.filter(({ kernel }) => kernel.kind === kind) ?? [];
  return steps.flatMap(({ kernel }) => kernelOutputs(kernel).map(({ dtype }) => dtype));
}

describe.each(['reference', 'webgpu'] as const)('float16 tensors on %s', (name) => {
  let device: Awaited<ReturnType<typeof openDevice>>;
  beforeAll(async () => {
    device = await openDevice(name, { poison: true });
    setDevice(device);
  });
  afterAll(async () => {
    await expectNoLeak(device);
    await device.close();
  });

  it('take two bytes an element, and are rounded when they are made', async () => {
    const data = normals(1, 999);
    const half = tensor(data, [999]).cast('float16');
    const before = device.memory().bytes;
    realize(half);
    expect(device.memory().bytes - before).toBe(2 * 999);
    expect(half.dtype).toBe('float16');
    expect(Array.from(await half.data())).toEqual(Array.from(data, roundFloat16));
    half.dispose();
    expect(await numbers(tensor([0.1, 70000, -1e-9], [3], 'float16').cast('float32'))).toEqual([
      roundFloat16(0.1),
      Number.POSITIVE_INFINITY,
      -0,
    ]);
    expect(await numbers(full([3], 0.1, 'float16'))).toEqual(new Array(3).fill(roundFloat16(0.1)));
  });

  it('are computed with in float32', async () => {
    const a = tensor([1, 2049, 0.1], [3], 'float16');
    const sum = a.add(a).add(1);
    expect(sum.dtype).toBe('float32');
    expect(await numbers(sum)).toEqual([3, 4097, Math.fround(2 * roundFloat16(0.1) + 1)]);
    expect((await numbers(a.sum())).map(Math.fround)).toEqual([Math.fround(2049 + roundFloat16(0.1))]);
    expect(await numbers(a.max())).toEqual([2048]);
    expect(await numbers(a.min())).toEqual([roundFloat16(0.1)]);
    expect(await numbers(a.argmax(0))).toEqual([1]);
  });

  it('pass gradients on, in float32', async () => {
    const x = random(2, [6]);
    const y = x.cast('float16').cast('float32').square().sum();
    const dx = grad(y, x);
    expect(dx.dtype).toBe('float32');
    const expected = Array.from(await x.data(), (value) => 2 * roundFloat16(value));
    expectClose(await numbers(dx), expected, () => 1e-6, 'the gradient');
  });

  it('are written to safetensors as F16', async () => {
    const half = tensor([0.5, 1e-7, 3], [3], 'float16');
    const bytes = writeSafetensors(await hostTensors(new Map([['half', half]])));
    half.dispose();
    expect(new TextDecoder().decode(bytes)).toContain('"dtype":"F16"');
    const { tensors } = readSafetensors(bytes);
    expect(await numbers(tensors.get('half') as Tensor)).toEqual([0.5, roundFloat16(1e-7), 3]);
  });

  it('are multiplied and convolved inside autocast, and there only', async () => {
    const [x, w] = [random(3, [1, 5, 5, 4]), random(4, [6, 3, 3, 4])];
    const [a, b] = [random(5, [7, 8]), random(6, [8, 3])];
    const run = () => conv2d(x, w, { padding: 1 }).sum().add(a.matmul(b).sum());
    await numbers(run());
    expect(operandTypes().flat()).toEqual(new Array(4).fill('float32'));
    const mixed = await numbers(autocast(run));
    expect(operandTypes().flat()).toEqual(new Array(4).fill('float16'));
    const half = (t: Tensor) => t.cast('float16').cast('float32');
    const expected = conv2d(half(x), half(w), { padding: 1 })
      .sum()
      .add(half(a).matmul(half(b)).sum());
    expectClose(mixed, await numbers(expected), () => 1e-4, 'the sum');
    await numbers(run());
    expect(operandTypes().flat()).toEqual(new Array(4).fill('float32'));
  });

  it('make the gradients of what they went through, near those of float32', async () => {
    const [x, w, v] = [random(7, [2, 6, 6, 4]), random(8, [8, 3, 3, 4]), random(9, [8, 5])];
    const loss = () =>
      conv2d(x, w, { padding: 1, stride: 2 }).silu().reshape([2, 9, 8]).matmul(v).square().mean();
    const exact = grad(loss(), [x, w, v]);
    const mixed = grad(autocast(loss), [x, w, v]);
    realize(...mixed);
    expect(operandTypes()).toHaveLength(6);
    expect(new Set(operandTypes().flat())).toEqual(new Set(['float16']));
    for (const [i, gradient] of mixed.entries()) {
      const expected = await numbers(exact[i]);
      const scale = Math.max(...expected.map(Math.abs));
      // Each operand is off by 2^-11 at most, and so is each gradient on its way.
      expectClose(await numbers(gradient), expected, () => 8 * 2 ** -11 * scale, `gradient ${i}`);
    }
  });

  it('are what norms and products store where nothing else is wanted of them', async () => {
    const [x, w] = [random(13, [2, 4, 4, 8]), random(14, [8, 3, 3, 8])];
    const [scale, shift] = [random(18, [8]), random(19, [8])];
    await numbers(autocast(() => conv2d(groupNorm(x, scale, shift, { groups: 2 }), w).sum()));
    expect(typesWritten('groupNorm')).toEqual(['float16', 'float32', 'float32']);
    // Only the weight is converted by a kernel of its own.
    expect(countOf('map')).toBe(1);

    const [a, b, c] = [random(15, [4, 8]), random(16, [8, 12]), random(17, [12, 4])];
    const product = autocast(() => a.matmul(b).relu().matmul(c));
    const half = (t: Tensor) => t.cast('float16').cast('float32');
    const between = half(half(a).matmul(half(b)).relu());
    const expected = await numbers(between.matmul(half(c)));
    // A rounding that goes the other way moves a number of about 3 by 2^-9.
    expectClose(await numbers(product), expected, () => 0.02, 'the product');
    expect(typesWritten('matmul')).toEqual(['float16', 'float32']);
  });

  it('convert a weight once, however often it is used', async () => {
    const layer = new Linear(8, 8);
    const x = random(10, [4, 8]);
    const once = autocast(() => layer.forward(layer.forward(x)).sum());
    await numbers(once);
    // The weight and x; what comes between is stored by the product that makes it.
    expect(countOf('map')).toBe(2);
    for (const parameter of layer.parameters().values()) parameter.dispose();
  });

  it('come again when a checkpoint is computed again', async () => {
    const [x, w] = [random(11, [4, 8]), random(12, [8, 8])];
    const block = (input: Tensor) => input.matmul(w).tanh().matmul(w);
    const plain = grad(
      autocast(() => block(x).square().sum()),
      w,
    );
    const saved = grad(
      autocast(() => checkpoint(block, x).square().sum()),
      w,
    );
    expectSameBits(await numbers(saved), await numbers(plain), 'the gradient');
  });
});

describe('a device without float16', () => {
  it('says so', async () => {
    const device = await openDevice('cpu');
    setDevice(device);
    const [a, b] = [random(1, [2, 2]), random(2, [2, 2])];
    await expectError(
      () => autocast(() => a.matmul(b)).data(),
      'UNSUPPORTED_DTYPE',
      'The cpu device has no float16.',
    );
    await device.close();
  });
});
