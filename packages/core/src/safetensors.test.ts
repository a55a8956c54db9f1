// Tensors to safetensors files and back: types, rounding, exact bytes, and numbers that do not fit.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { useDevice } from '../../../test/devices.js';
import { DmpoError } from './errors.js';
import { tensor } from './ops/creation.js';
import {
  type HostTensor,
  hostTensors,
  parseSafetensors,
  readSafetensors,
  writeSafetensors,
} from './safetensors.js';

const float32 = (...numbers: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [numbers.length],
  data: Float32Array.from(numbers),
});

function errorCode(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof DmpoError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A file with one tensor `x` of any type, from its raw elements, after `padding` bytes that make them unaligned. */
function fileOf(dtype: string, elements: ArrayBufferView & { length: number }, padding = 0): Uint8Array {
  const header = `{"x":{"dtype":"${dtype}","shape":[${elements.length}],"data_offsets":[0,${elements.byteLength}]}}`;
  const bytes = new Uint8Array(8 + header.length + padding + elements.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length + padding), true);
  bytes.set(new TextEncoder().encode(header.padEnd(header.length + padding)), 8);
  bytes.set(
    new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength),
    8 + header.length + padding,
  );
  return bytes;
}

async function read(file: Uint8Array, name = 'x') {
  const tensor = readSafetensors(file).tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return { dtype: tensor.dtype, shape: tensor.shape, numbers: Array.from(await tensor.data()) };
}

/** The one stored number that `write` makes of x. */
const bits = (x: number, dtype: 'F16' | 'BF16') => {
  const entry = parseSafetensors(writeSafetensors(new Map([['x', float32(x)]]), {}, { dtype })).entries[0];
  return entry && Number(entry.bytes[0]) + 256 * Number(entry.bytes[1]);
};

useDevice('reference');

describe('readSafetensors', () => {
  it.each<[string, ArrayBufferView & { length: number }, string, number[]]>([
    ['F64', Float64Array.of(1 / 3, -1e300), 'float32', [1 / 3, -1e300]],
    ['F32', Float32Array.of(0.1, -Infinity), 'float32', [Math.fround(0.1), -Infinity]],
    [
      'F16',
      Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00),
      'float32',
      [1, -2, 2 ** -24, 65504, Infinity],
    ],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x0001, 0xff80), 'float32', [1, -2, 2 ** -133, -Infinity]],
    ['I64', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), 'int32', [-(2 ** 31), 2 ** 31 - 1]],
    ['I32', Int32Array.of(-5, 7), 'int32', [-5, 7]],
    ['I16', Int16Array.of(-5, 7), 'int32', [-5, 7]],
    ['I8', Int8Array.of(-5, 7), 'int32', [-5, 7]],
    ['U64', BigUint64Array.of(0n, 2n ** 32n - 1n), 'uint32', [0, 2 ** 32 - 1]],
    ['U32', Uint32Array.of(2 ** 32 - 1), 'uint32', [2 ** 32 - 1]],
    ['U16', Uint16Array.of(65535), 'uint32', [65535]],
    ['U8', Uint8Array.of(255, 1), 'uint32', [255, 1]],
    ['BOOL', Uint8Array.of(0, 1), 'bool', [0, 1]],
  ])('reads %s, aligned or not', async (type, elements, dtype, numbers) => {
    for (let padding = 0; padding < 8; padding++) {
      expect(await read(fileOf(type, elements, padding))).toEqual({
        dtype,
        shape: [elements.length],
        numbers,
      });
    }
  });

  it.each([
    ['I64', BigInt64Array.of(1n, 2n ** 31n)],
    ['I64', BigInt64Array.of(-(2n ** 31n) - 1n)],
    ['U64', BigUint64Array.of(2n ** 32n)],
  ])('refuses %s numbers that do not fit 32 bits', (dtype, elements) => {
    expect(errorCode(() => readSafetensors(fileOf(dtype, elements)))).toBe('SAFETENSORS_RANGE');
  });

  it('refuses a tensor without elements by name', () => {
    const file = writeSafetensors(
      new Map([['nothing', { dtype: 'float32', shape: [2, 0], data: new Float32Array() }]]),
    );
    expect(() => readSafetensors(file)).toThrow('"nothing"');
    expect(errorCode(() => readSafetensors(file))).toBe('SAFETENSORS_SHAPE_INVALID');
  });
});

describe('writeSafetensors', () => {
  it('writes exactly the bytes that the format defines: wide types first, then by name, header padded to 8', () => {
    const file = writeSafetensors(
      new Map<string, HostTensor>([
        ['flag', { dtype: 'bool', shape: [1], data: Uint8Array.of(1) }],
        ['b', float32(1)],
        ['1', { dtype: 'int32', shape: [], data: Int32Array.of(-1) }],
        ['wide', { dtype: 'float32', shape: [1, 1], data: Float64Array.of(2) }],
      ]),
      { format: 'pt' },
    );
    const header =
      '{"__metadata__":{"format":"pt"},"wide":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},' +
      '"1":{"dtype":"I32","shape":[],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},' +
      '"flag":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const data = [0, 0, 0, 0, 0, 0, 0, 0x40, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x80, 0x3f, 1];
    expect(new DataView(file.buffer).getBigUint64(0, true)).toBe(BigInt(padded.length));
    expect(new TextDecoder().decode(file.subarray(8, 8 + padded.length))).toBe(padded);
    expect([...file.subarray(8 + padded.length)]).toEqual(data);
  });

  it('gives the same bytes whatever the order of the tensors', () => {
    const entries: [string, HostTensor][] = [
      ['a', float32(1, 2)],
      ['b', float32(3)],
      ['c', { dtype: 'uint32', shape: [1], data: Uint32Array.of(4) }],
    ];
    expect(writeSafetensors(new Map(entries.toReversed()))).toEqual(writeSafetensors(new Map(entries)));
  });

  it.each([
    [1, 0x3c00],
    [1 + 2 ** -11, 0x3c00], // half way: to even
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -23, 0x3c01],
    [-65519, 0xfbff],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2],
    [-0, 0x8000],
    [Infinity, 0x7c00],
  ])('rounds %d to the nearest F16, ties to even', (x, expected) => {
    expect(bits(x, 'F16')).toBe(expected);
  });

  it.each([
    [1, 0x3f80],
    [1 + 2 ** -8, 0x3f80], // half way: to even
    [1 + 3 * 2 ** -8, 0x3f82],
    [1 + 2 ** -8 + 2 ** -23, 0x3f81],
    [-(2 ** -133), 0x8001],
    [-Infinity, 0xff80],
  ])('rounds %d to the nearest BF16, ties to even', (x, expected) => {
    expect(bits(x, 'BF16')).toBe(expected);
  });

  it('keeps NaN a NaN', async () => {
    const payloadInLowerHalf = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    const host: HostTensor = { dtype: 'float32', shape: [1], data: payloadInLowerHalf };
    for (const dtype of ['F64', 'F32', 'F16', 'BF16'] as const) {
      expect((await read(writeSafetensors(new Map([['x', host]]), {}, { dtype }))).numbers).toEqual([NaN]);
    }
  });

  it('refuses finite numbers that would become infinite', () => {
    expect(errorCode(() => bits(65520, 'F16'))).toBe('SAFETENSORS_RANGE');
    expect(errorCode(() => bits(-3.4e38, 'BF16'))).toBe('SAFETENSORS_RANGE');
  });

  it('refuses data that does not fill its shape, and the reserved name', () => {
    const short: HostTensor = { dtype: 'float32', shape: [2, 2], data: new Float32Array(3) };
    expect(errorCode(() => writeSafetensors(new Map([['x', short]])))).toBe('SHAPE_MISMATCH');
    expect(errorCode(() => writeSafetensors(new Map([['__metadata__', float32(1)]])))).toBe(
      'SAFETENSORS_NAME',
    );
  });
});

describe('writing, then reading', () => {
  const shape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 });
  const host = fc
    .tuple(fc.constantFrom('float32', 'float64', 'int32', 'uint32', 'bool'), shape)
    .chain(([type, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const sized = { minLength: size, maxLength: size };
      const data = {
        float32: fc.float32Array(sized),
        float64: fc.float64Array(sized),
        int32: fc.int32Array(sized),
        uint32: fc.uint32Array(sized),
        bool: fc.uint8Array({ ...sized, max: 1 }),
      }[type];
      return data.map((data): HostTensor => ({ dtype: type === 'float64' ? 'float32' : type, shape, data }));
    });
  const names = fc
    .oneof(fc.string(), fc.string({ unit: 'binary' }))
    .filter((name) => name !== '__metadata__');

  it('gives the same tensors and metadata', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(names, host), { maxLength: 6 }),
        fc.dictionary(fc.string(), fc.string()),
        (list, metadata) => {
          const written = new Map(list);
          const file = readSafetensors(writeSafetensors(written, metadata));
          expect(Object.entries(file.metadata)).toEqual(Object.entries(metadata));
          expect([...file.tensors.keys()].sort()).toEqual([...written.keys()].sort());
          for (const [name, { dtype, shape, data }] of written) {
            const tensor = file.tensors.get(name);
            expect({ dtype: tensor?.dtype, shape: tensor?.shape }).toEqual({ dtype, shape });
            expect(tensor?.node).toMatchObject({ kind: 'host', data });
          }
        },
      ),
    );
  });

  it('keeps every number that the half types can hold', async () => {
    for (const dtype of ['F16', 'BF16'] as const) {
      const everyHalf = fileOf(
        dtype,
        Uint16Array.from({ length: 65536 }, (_, i) => i),
      );
      const { numbers } = await read(everyHalf);
      const rewritten = writeSafetensors(new Map([['x', float32(...numbers)]]), {}, { dtype });
      expect((await read(rewritten)).numbers).toEqual(numbers);
    }
  });

  it('works on tensors that are still to be computed', async () => {
    const a = tensor(Float32Array.of(1, 2, 3));
    const host = await hostTensors(
      new Map([
        ['sum', a.add(a)],
        ['index', a.argmax(0)],
      ]),
    );
    const { tensors } = readSafetensors(writeSafetensors(host));
    expect(Array.from((await tensors.get('sum')?.data()) ?? [])).toEqual([2, 4, 6]);
    expect(await tensors.get('index')?.item()).toBe(2);
  });
});
