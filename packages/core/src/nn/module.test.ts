// Module: names, layouts of files, saving and loading, copies, and state dictionaries that do not fit.
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { DmpoError } from '../errors.js';
import { tensor } from '../ops/creation.js';
import { hostTensors, readSafetensors, writeSafetensors } from '../safetensors.js';
import type { Tensor } from '../tensor.js';
import { Conv2d } from './conv2d.js';
import { GroupNorm } from './group-norm.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

class Block extends Module {
  readonly norm = new GroupNorm(1, 2);
  readonly convs = [new Conv2d(2, 3, [1, 2]), undefined, new Conv2d(3, 1, 1, { bias: false })];
  readonly label = 'not a parameter';
}

class Network extends Module {
  readonly block: Module = new Block();
  readonly head = new Linear(3, 1);
}

const names = [
  'block.norm.weight',
  'block.norm.bias',
  'block.convs.0.weight',
  'block.convs.0.bias',
  'block.convs.2.weight',
  'head.weight',
  'head.bias',
];

/** 1, 2, 3, ... in the given shape. */
const counting = (...shape: number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i + 1),
    shape,
  );

const values = async (tensors: ReadonlyMap<string, Tensor>) =>
  new Map([...(await hostTensors(tensors))].map(([name, { data }]) => [name, Array.from(data)]));

function failure(action: () => unknown): DmpoError {
  try {
    action();
  } catch (error) {
    if (error instanceof DmpoError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe.each(devices)('Module on %s', (device) => {
  useDevice(device);

  it('names its parameters by path, in the order of construction, and counts them', () => {
    const network = new Network();
    expect([...network.parameters().keys()]).toEqual(names);
    expect(network.parameterCount()).toBe(2 + 2 + 12 + 3 + 3 + 3 + 1);
  });

  it('keeps filters channels last, and files have channels first', async () => {
    const conv = new Conv2d(2, 3, [1, 2]);
    conv.load(
      new Map([
        ['weight', counting(3, 2, 1, 2)],
        ['bias', counting(3)],
      ]),
    );
    expect(conv.weight.shape).toEqual([3, 1, 2, 2]);
    expect(Array.from(await conv.weight.data())).toEqual([1, 3, 2, 4, 5, 7, 6, 8, 9, 11, 10, 12]);
    const saved = conv.stateDict();
    expect(saved.get('weight')?.shape).toEqual([3, 2, 1, 2]);
    expect((await values(saved)).get('weight')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('gives other values, such as gradients, the layout of files', () => {
    const conv = new Conv2d(2, 3, [1, 2], { bias: false });
    const state = conv.stateDict(new Map([['weight', counting(3, 1, 2, 2)]]));
    expect(state.get('weight')?.shape).toEqual([3, 2, 1, 2]);
    expect(failure(() => conv.stateDict(new Map())).code).toBe('STATE_DICT_MISMATCH');
  });

  it('is the same after saving to a file and loading it', async () => {
    const [network, restored] = [new Network(), new Network()];
    const before = await values(network.parameters());
    expect(await values(restored.parameters())).not.toEqual(before);
    restored.load(readSafetensors(writeSafetensors(await hostTensors(network.stateDict()))).tensors);
    expect(await values(restored.parameters())).toEqual(before);
  });

  it('copies another module, and then stays apart from it', async () => {
    const [network, copy] = [new Network(), new Network()];
    copy.copyFrom(network);
    const before = await values(network.parameters());
    network.head.bias?.assign(Float32Array.of(100));
    expect(await values(copy.parameters())).toEqual(before);
  });

  it('names everything that does not fit, and changes nothing', async () => {
    const network = new Network();
    const before = await values(network.parameters());
    const state = network.stateDict();
    state.delete('head.bias');
    state.delete('block.norm.bias');
    state.set('block.convs.0.weight', counting(3, 1, 2, 2));
    state.set('head.weight', counting(1, 3).cast('int32'));
    state.set('block.convs.2.bias', counting(1));
    const error = failure(() => network.load(state));
    expect(error.code).toBe('STATE_DICT_MISMATCH');
    expect(error.problem).toBe(
      'The tensors do not fit Network. Missing: block.norm.bias, head.bias. Unexpected: block.convs.2.bias. ' +
        'Misshapen: block.convs.0.weight is float32 [3, 1, 2, 2] instead of float32 [3, 2, 1, 2]; ' +
        'head.weight is int32 [1, 3] instead of float32 [1, 3].',
    );
    expect(await values(network.parameters())).toEqual(before);
  });

  it('cannot be used after dispose()', () => {
    const network = new Network();
    network.dispose();
    expect(failure(() => network.stateDict().get('head.weight')?.shape).code).toBe('DISPOSED');
  });
});
