// Parameters: memory of their own, uploaded at the first use, replaced by assign, gone after dispose.
import type { Device } from '@dmpo/kernels';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../test/devices.js';
import { tensor } from './ops/creation.js';
import { Parameter } from './parameter.js';
import { openDevice, realize, setDevice, update } from './realize.js';
import { expectError } from './testing/errors.js';
import { numbers } from './testing/read.js';

it('needs no device before its first use', () => {
  const parameter = new Parameter(Float32Array.of(1, 2), [2]);
  expect(parameter.shape).toEqual([2]);
  expect(parameter.dtype).toBe('float32');
  parameter.assign(Float32Array.of(3, 4));
  parameter.dispose();
});

describe.each(devices)('a parameter on %s', (deviceName) => {
  const device = useDevice(deviceName);
  const make = () => new Parameter(Float32Array.of(1, 2, 3, 4), [2, 2]);

  it('takes memory from its first use until it is disposed', async () => {
    const parameter = make();
    expect(device().memory().buffers).toBe(0);
    realize(parameter);
    expect(device().memory()).toMatchObject({ buffers: 1, bytes: 16 });
    expect(await numbers(parameter.sum())).toEqual([10]);
    expect(device().memory().buffers).toBe(1);
    parameter.dispose();
    parameter.dispose();
    expect(device().memory().buffers).toBe(0);
  });

  it('is one leaf of graphs until it is updated', () => {
    const parameter = make();
    const { node } = parameter;
    expect(parameter.node).toBe(node);
    update([[parameter, parameter.mul(2)]]);
    expect(parameter.node).not.toBe(node);
    parameter.dispose();
  });

  it('takes assigned numbers, before its first use and after', async () => {
    const parameter = make();
    parameter.assign(Float32Array.of(5, 6, 7, 8));
    expect(Array.from(await parameter.data())).toEqual([5, 6, 7, 8]);
    const earlier = parameter.sum();
    parameter.assign(Float64Array.of(1, 1, 1, 2));
    expect(Array.from(await parameter.data())).toEqual([1, 1, 1, 2]);
    await expectError(() => earlier.data(), 'STALE_PARAMETER', '[2, 2]');
    expect(await numbers(parameter.sum())).toEqual([5]);
    expect(device().memory().buffers).toBe(1);
    parameter.dispose();
  });

  it('does not keep the host numbers once they are uploaded', async () => {
    const numbersOnHost = Float32Array.of(1, 2);
    const parameter = new Parameter(numbersOnHost, [2]);
    realize(parameter);
    numbersOnHost.fill(9);
    expect(Array.from(await parameter.data())).toEqual([1, 2]);
    parameter.dispose();
  });

  it('refuses use after dispose, and numbers that do not fit', async () => {
    const parameter = make();
    await expectError(() => parameter.assign(Float32Array.of(1)), 'BAD_ARGUMENT', '[2, 2]', '4');
    await expectError(() => new Parameter(Float32Array.of(1), [2]), 'BAD_ARGUMENT', '[2]');
    const product = parameter.mul(2);
    realize(parameter);
    parameter.dispose();
    for (const use of [
      () => parameter.add(1),
      () => parameter.data(),
      () => parameter.assign(Float32Array.of(1, 2, 3, 4)),
      () => update([[parameter, tensor([1, 2, 3, 4], [2, 2])]]),
      () => product.data(),
    ])
      await expectError(use, 'DISPOSED');
    const unused = make();
    unused.dispose();
    await expectError(() => unused.add(1), 'DISPOSED');
    expect(device().memory().buffers).toBe(0);
  });
});

describe('when another device becomes the current one', () => {
  const first = useDevice('cpu');
  let second: Device;

  beforeEach(async () => {
    second = await openDevice('reference');
  });

  afterEach(async () => {
    expect([first(), second].map((device) => device.memory().buffers)).toEqual([0, 0]);
    await second.close();
    setDevice(first());
  });

  async function onFirstDevice(): Promise<Parameter> {
    setDevice(first());
    const parameter = new Parameter(Float32Array.of(1, 2), [2]);
    realize(parameter);
    setDevice(second);
    return parameter;
  }

  it('a parameter moves there with its next value', async () => {
    const parameter = await onFirstDevice();
    update([[parameter, tensor(Float32Array.of(3, 4), [2])]]);
    expect(parameter.storage.device).toBe(second);
    expect(first().memory().buffers).toBe(0);
    expect(await numbers(parameter.mul(2))).toEqual([6, 8]);
    parameter.dispose();
  });

  it('a parameter moves there when it is assigned numbers', async () => {
    const parameter = await onFirstDevice();
    parameter.assign(Float32Array.of(5, 6));
    expect(await numbers(parameter.mul(2))).toEqual([10, 12]);
    parameter.dispose();
  });

  it('a parameter stays where it is if its next value depends on the present one', async () => {
    const parameter = await onFirstDevice();
    await expectError(() => update([[parameter, parameter.mul(2)]]), 'WRONG_DEVICE', 'cpu', 'reference');
    expect(second.memory().buffers).toBe(0);
    setDevice(first());
    expect(await numbers(parameter.mul(2))).toEqual([2, 4]);
    parameter.dispose();
  });
});
