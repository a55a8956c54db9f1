// Taking safetensors files apart: those that are well-formed, and every way in which one can be damaged or hostile.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DmpoError } from '../errors.js';
import { fileTypes } from './dtype.js';
import { parseSafetensors } from './parse.js';

/** A file put together by hand: whatever the header says, before whatever the data is. */
function file(header: unknown, data: ArrayLike<number> = [], headerLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const U8 = (begin: number, end: number) => ({
  dtype: 'U8',
  shape: [end - begin],
  data_offsets: [begin, end],
});

function refusal(bytes: Uint8Array): DmpoError {
  try {
    parseSafetensors(bytes);
  } catch (error) {
    if (error instanceof DmpoError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('parseSafetensors', () => {
  it('finds tensors in the order of their bytes, and the metadata', () => {
    const header = {
      b: { dtype: 'I16', shape: [1, 2], data_offsets: [2, 6] },
      __metadata__: { format: 'pt' },
      a: { dtype: 'BF16', shape: [], data_offsets: [0, 2] },
    };
    expect(parseSafetensors(file(header, [1, 2, 3, 4, 5, 6]))).toEqual({
      entries: [
        { name: 'a', dtype: 'BF16', shape: [], bytes: Uint8Array.of(1, 2) },
        { name: 'b', dtype: 'I16', shape: [1, 2], bytes: Uint8Array.of(3, 4, 5, 6) },
      ],
      metadata: { format: 'pt' },
    });
  });

  it('accepts an empty file, tensors without elements, a header with and without padding', () => {
    expect(parseSafetensors(file('{}'))).toEqual({ entries: [], metadata: {} });
    const empty = { e: U8(1, 1), a: U8(0, 1), z: U8(1, 1) };
    expect(parseSafetensors(file(empty, [7])).entries.map(({ name }) => name)).toEqual(['a', 'e', 'z']);
    expect(
      parseSafetensors(file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ', [9])).entries,
    ).toEqual(parseSafetensors(file({ a: U8(0, 1) }, [9])).entries);
  });

  it('keeps names that are special in JavaScript', () => {
    const header =
      '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{"__proto__":"x"}}';
    const { entries, metadata } = parseSafetensors(file(header, [5]));
    expect(entries.map(({ name }) => name)).toEqual(['__proto__']);
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x']]);
  });

  it.each<[problem: string, code: string, file: Uint8Array]>([
    ['fewer than 8 bytes', 'TRUNCATED', new Uint8Array(7)],
    ['a header that ends after the file', 'TRUNCATED', file('{}', [], 3n)],
    ['data that ends after the file', 'TRUNCATED', file({ a: U8(0, 4) }, [1, 2, 3])],
    ['a header of 2^63 bytes', 'HEADER_TOO_LARGE', file('{}', [], 2n ** 63n)],
    ['a header of just over 100 MB', 'HEADER_TOO_LARGE', file('{}', [], 100_000_001n)],
    ['a header that starts with a space', 'HEADER_INVALID', file(' {}')],
    ['an empty header', 'HEADER_INVALID', file('')],
    ['a header that is not JSON', 'HEADER_INVALID', file('{"a":')],
    ['a header that is not UTF-8', 'HEADER_INVALID', file('{}', [0xff], 3n)],
    ['a tensor described by a list', 'HEADER_INVALID', file({ a: [] })],
    [
      'equal names',
      'DUPLICATE_NAME',
      file(`{"a":${JSON.stringify(U8(0, 1))},"a":${JSON.stringify(U8(0, 1))}}`, [1]),
    ],
    ['equal names, one escaped', 'DUPLICATE_NAME', file(`{"a": {}, "\\u0061" : {}}`)],
    ['equal keys in metadata', 'DUPLICATE_NAME', file('{"__metadata__":{"k":"1","k":"2"}}')],
    [
      'equal keys in a tensor',
      'DUPLICATE_NAME',
      file('{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}'),
    ],
    ['metadata that holds a number', 'METADATA_INVALID', file({ __metadata__: { step: 1 } })],
    ['metadata that is a list', 'METADATA_INVALID', file({ __metadata__: ['a'] })],
    ['an unknown type', 'DTYPE_UNSUPPORTED', file({ a: { ...U8(0, 1), dtype: 'F8_E4M3' } }, [1])],
    [
      'a type named like an Object method',
      'DTYPE_UNSUPPORTED',
      file({ a: { ...U8(0, 1), dtype: 'toString' } }, [1]),
    ],
    ['no type', 'DTYPE_UNSUPPORTED', file({ a: { shape: [1], data_offsets: [0, 1] } }, [1])],
    ['no shape', 'SHAPE_INVALID', file({ a: { dtype: 'U8', data_offsets: [0, 1] } }, [1])],
    ['a negative size', 'SHAPE_INVALID', file({ a: { ...U8(0, 1), shape: [-1, -1] } }, [1])],
    ['a fractional size', 'SHAPE_INVALID', file({ a: { ...U8(0, 1), shape: [0.5, 2] } }, [1])],
    [
      'a size above 2^53',
      'SHAPE_INVALID',
      file('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', [1]),
    ],
    [
      'a product of sizes above 2^53',
      'SHAPE_INVALID',
      file({ a: { ...U8(0, 1), shape: [2 ** 30, 2 ** 30] } }, [1]),
    ],
    ['one offset', 'OFFSETS_INVALID', file({ a: { ...U8(0, 1), data_offsets: [0] } }, [1])],
    ['a negative offset', 'OFFSETS_INVALID', file({ a: { ...U8(0, 1), data_offsets: [-1, 0] } }, [1])],
    ['an end before the beginning', 'SIZE_MISMATCH', file({ a: { ...U8(0, 1), data_offsets: [1, 0] } }, [1])],
    [
      'a size other than shape times type',
      'SIZE_MISMATCH',
      file({ a: { ...U8(0, 4), dtype: 'F32' } }, [1, 2, 3, 4]),
    ],
    ['tensors that overlap', 'OVERLAP', file({ a: U8(0, 3), b: U8(2, 4) }, [1, 2, 3, 4])],
    ['two tensors in one place', 'OVERLAP', file({ a: U8(0, 2), b: U8(0, 2) }, [1, 2])],
    ['bytes before the first tensor', 'HOLE', file({ a: U8(1, 2) }, [1, 2])],
    ['bytes between tensors', 'HOLE', file({ a: U8(0, 1), b: U8(2, 3) }, [1, 2, 3])],
    ['bytes after the last tensor', 'TRAILING_BYTES', file({ a: U8(0, 1) }, [1, 2])],
  ])('refuses %s', (_, code, bytes) => {
    const error = refusal(bytes);
    expect(error.code).toBe(`SAFETENSORS_${code}`);
    expect(error.fix).not.toBe('');
  });

  it('keeps messages short whatever the file says', () => {
    const name = 'x'.repeat(100_000);
    expect(refusal(file({ [name]: { ...U8(0, 1), dtype: name } }, [1])).message.length).toBeLessThan(1000);
  });

  it('accepts a damaged file only where every tensor still has the size that its shape says, and else throws DmpoError', () => {
    const whole = file(
      {
        __metadata__: { format: 'pt', note: 'a "quoted" note' },
        bias: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
        half: { dtype: 'F16', shape: [3], data_offsets: [8, 14] },
        flag: { dtype: 'BOOL', shape: [2, 1], data_offsets: [14, 16] },
      },
      new Uint8Array(16),
    );
    const damage = fc.record({
      edits: fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      cut: fc.option(fc.tuple(fc.nat(whole.length), fc.nat(whole.length)), {
        nil: [0, whole.length] as const,
      }),
    });
    let refused = 0;
    fc.assert(
      fc.property(damage, ({ edits, cut: [begin, end] }) => {
        const damaged = whole.slice();
        for (const [position, byte] of edits) damaged[position] = byte;
        const bytes = damaged.subarray(begin, Math.max(begin, end));
        try {
          const { entries } = parseSafetensors(bytes);
          const sizes = entries.map(({ dtype, shape }) =>
            shape.reduce((a, b) => a * b, fileTypes[dtype].bytes),
          );
          expect(entries.map((entry) => entry.bytes.length)).toEqual(sizes);
        } catch (error) {
          if (!(error instanceof DmpoError)) throw error;
          refused++;
        }
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });
});
