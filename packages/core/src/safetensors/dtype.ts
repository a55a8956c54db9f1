/** The element types of a safetensors file: their sizes, the tensor dtypes they become, how bytes turn into numbers and back. */

import type { DType } from '@dmpo/kernels';
import { getFloat16, setFloat16 } from '@petamoriken/float16';
import { DmpoError } from '../errors.js';
import type { TensorData } from '../tensor.js';

interface Row {
  readonly bytes: 1 | 2 | 4 | 8;
  /** dtype of the tensor that holds the numbers. */
  readonly dtype: DType;
  /** The numbers of tensor `name`: a view of `bytes` where type and alignment allow, else a copy. Throws `SAFETENSORS_RANGE`. */
  readonly decode: (bytes: Uint8Array, name: string) => TensorData;
}

// Typed arrays read and write the machine's byte order, which is the file's (little endian) wherever JavaScript runs today.
export const fileTypes = {
  F64: { bytes: 8, dtype: 'float32', decode: (bytes) => view(Float64Array, bytes) },
  I64: {
    bytes: 8,
    dtype: 'int32',
    decode: (bytes, name) => narrow(view(BigInt64Array, bytes), Int32Array, name),
  },
  U64: {
    bytes: 8,
    dtype: 'uint32',
    decode: (bytes, name) => narrow(view(BigUint64Array, bytes), Uint32Array, name),
  },
  F32: { bytes: 4, dtype: 'float32', decode: (bytes) => view(Float32Array, bytes) },
  I32: { bytes: 4, dtype: 'int32', decode: (bytes) => view(Int32Array, bytes) },
  U32: { bytes: 4, dtype: 'uint32', decode: (bytes) => view(Uint32Array, bytes) },
  F16: { bytes: 2, dtype: 'float32', decode: decodeFloat16 },
  BF16: { bytes: 2, dtype: 'float32', decode: decodeBfloat16 },
  I16: { bytes: 2, dtype: 'int32', decode: (bytes) => Int32Array.from(view(Int16Array, bytes)) },
  U16: { bytes: 2, dtype: 'uint32', decode: (bytes) => Uint32Array.from(view(Uint16Array, bytes)) },
  I8: { bytes: 1, dtype: 'int32', decode: (bytes) => Int32Array.from(view(Int8Array, bytes)) },
  U8: { bytes: 1, dtype: 'uint32', decode: (bytes) => Uint32Array.from(bytes) },
  BOOL: { bytes: 1, dtype: 'bool', decode: (bytes) => bytes.map((byte) => Number(byte !== 0)) },
} as const satisfies Record<string, Row>;

export type FileType = keyof typeof fileTypes;

/** The types in which float32 tensors can be written. */
export type FloatFileType = 'F64' | 'F32' | 'F16' | 'BF16';

/** The types that files are written in. */
export type WrittenType = FloatFileType | 'I32' | 'U32' | 'BOOL';

export function isFileType(name: unknown): name is FileType {
  return typeof name === 'string' && Object.hasOwn(fileTypes, name);
}

/**
 * The numbers of tensor `name` as bytes, rounded to nearest, ties to even. Throws `SAFETENSORS_RANGE` where a finite
 * number would become infinite.
 */
export function encode(data: ArrayLike<number>, type: WrittenType, name: string): Uint8Array {
  switch (type) {
    case 'F64':
      return bytesOf(Float64Array.from(data));
    case 'F32':
      return bytesOf(Float32Array.from(data));
    case 'F16':
      return encodeFloat16(data, name);
    case 'BF16':
      return encodeBfloat16(data, name);
    case 'I32':
      return bytesOf(Int32Array.from(data));
    case 'U32':
      return bytesOf(Uint32Array.from(data));
    case 'BOOL':
      return Uint8Array.from(data);
    default:
      return type satisfies never;
  }
}

interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

function view<T>(Type: ArrayType<T>, bytes: Uint8Array): T {
  const { buffer, byteOffset, byteLength } =
    bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Type(buffer, byteOffset, byteLength / Type.BYTES_PER_ELEMENT);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function narrow<T extends Int32Array | Uint32Array>(
  values: BigInt64Array | BigUint64Array,
  Type: new (length: number) => T,
  name: string,
): T {
  const result = new Type(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    result[i] = value;
    if (result[i] !== value) {
      throw new DmpoError(
        'SAFETENSORS_RANGE',
        `Tensor "${name}" of the safetensors file holds ${values[i]}, which does not fit 32 bits.`,
        'Tensors hold 32-bit integers: remove the tensor from the file or scale its numbers down.',
      );
    }
  }
  return result;
}

function decodeFloat16(bytes: Uint8Array): Float32Array {
  const halves = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result = new Float32Array(bytes.byteLength / 2);
  for (let i = 0; i < result.length; i++) result[i] = getFloat16(halves, 2 * i, true);
  return result;
}

function encodeFloat16(data: ArrayLike<number>, name: string): Uint8Array {
  const bytes = new Uint8Array(2 * data.length);
  const halves = new DataView(bytes.buffer);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    setFloat16(halves, 2 * i, value, true);
    if (Number.isFinite(value) && !Number.isFinite(getFloat16(halves, 2 * i, true))) {
      throw outOfRange(value, 'F16', name);
    }
  }
  return bytes;
}

/** bfloat16 is the upper half of a float32. */
function decodeBfloat16(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint32Array.from(view(Uint16Array, bytes), (half) => half << 16).buffer);
}

function encodeBfloat16(data: ArrayLike<number>, name: string): Uint8Array {
  const floats = Float32Array.from(data);
  const bits = new Uint32Array(floats.buffer);
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    const word = Number(bits[i]);
    if (Number.isNaN(floats[i])) {
      halves[i] = (word >>> 16) | 0x40; // a NaN whose payload sits in the lower half must not become an infinity
    } else {
      halves[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
      if (Number.isFinite(data[i]) && (Number(halves[i]) & 0x7f80) === 0x7f80) {
        throw outOfRange(Number(data[i]), 'BF16', name);
      }
    }
  }
  return bytesOf(halves);
}

function outOfRange(value: number, type: FileType, name: string): DmpoError {
  return new DmpoError(
    'SAFETENSORS_RANGE',
    `Tensor "${name}" holds ${value}, which is too large for ${type}.`,
    "Write the file with dtype 'F32'.",
  );
}
