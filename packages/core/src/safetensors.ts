/** Reads and writes tensors in the safetensors format (https://huggingface.co/docs/safetensors). */

import { type DType, elementCount } from '@dmpo/kernels';
import { DmpoError, shapeError } from './errors.js';
import { tensor } from './ops/creation.js';
import { realize } from './realize.js';
import { encode, type FloatFileType, fileTypes, type WrittenType } from './safetensors/dtype.js';
import { METADATA_KEY, parseSafetensors } from './safetensors/parse.js';
import type { Tensor, TensorData } from './tensor.js';

export type { FileType, FloatFileType } from './safetensors/dtype.js';
export { parseSafetensors, type SafetensorsEntry, type SafetensorsFile } from './safetensors/parse.js';

/** A tensor's numbers on the host, in row-major order. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface WriteSafetensorsOptions {
  /** How float32 tensors are stored. Default: F64 for those whose numbers are a Float64Array, F32 for the others. */
  readonly dtype?: FloatFileType;
}

/**
 * The tensors of a safetensors file. F16 and BF16 are widened to float32; F64 becomes float32 that keeps its float64 numbers on
 * the host, for the reference device; integers become int32 or uint32. The tensors may share memory with `bytes`.
 * Throws `SAFETENSORS_RANGE` where an integer needs more than 32 bits, `SAFETENSORS_SHAPE_INVALID` where a tensor has no elements,
 * and whatever `parseSafetensors` throws.
 */
export function readSafetensors(bytes: Uint8Array): {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
} {
  const { entries, metadata } = parseSafetensors(bytes);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, bytes } of entries) {
    if (shape.includes(0)) {
      throw new DmpoError(
        'SAFETENSORS_SHAPE_INVALID',
        `Tensor "${name}" of the safetensors file has no elements: its shape is [${shape.join(', ')}].`,
        'Remove it from the file, or read it with parseSafetensors().',
      );
    }
    const type = fileTypes[dtype];
    tensors.set(name, tensor(type.decode(bytes, name), shape, type.dtype));
  }
  return { tensors, metadata };
}

/**
 * The bytes of a safetensors file; the same tensors and metadata give the same bytes. Tensors lie widest type first, then by name.
 * Numbers are rounded to nearest, ties to even. Throws `SAFETENSORS_RANGE` where `options.dtype` cannot hold a finite number,
 * `SHAPE_MISMATCH` where data does not fill its shape, `SAFETENSORS_NAME` for the one name the format reserves.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
  { dtype: floatType }: WriteSafetensorsOptions = {},
): Uint8Array {
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    checkEntry(name, shape, data);
    const type = fileType(dtype, data, floatType);
    return { name, type, shape, bytes: encode(data, type, name) };
  });
  entries.sort((a, b) => fileTypes[b.type].bytes - fileTypes[a.type].bytes || (a.name < b.name ? -1 : 1));

  let end = 0;
  const fields = entries.map(({ name, type, shape, bytes }) => {
    const begin = end;
    end += bytes.length;
    return field(name, { dtype: type, shape, data_offsets: [begin, end] });
  });
  if (Object.keys(metadata).length > 0) fields.unshift(field(METADATA_KEY, metadata));
  const header = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerLength = Math.ceil(header.length / 8) * 8;

  const file = new Uint8Array(8 + headerLength + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(header, 8);
  file.fill(0x20, 8 + header.length, 8 + headerLength);
  let position = 8 + headerLength;
  for (const { bytes } of entries) {
    file.set(bytes, position);
    position += bytes.length;
  }
  return file;
}

/** Computes the tensors in one plan and fetches their numbers, for `writeSafetensors`. */
export async function hostTensors(tensors: ReadonlyMap<string, Tensor>): Promise<Map<string, HostTensor>> {
  realize(...tensors.values());
  const host = new Map<string, HostTensor>();
  for (const [name, tensor] of tensors) {
    host.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.data() });
  }
  return host;
}

function checkEntry(name: string, shape: readonly number[], data: TensorData): void {
  if (name === METADATA_KEY) {
    throw new DmpoError(
      'SAFETENSORS_NAME',
      `A safetensors file cannot hold a tensor named "${name}".`,
      'Give the tensor another name.',
    );
  }
  if (elementCount(shape) !== data.length) {
    throw shapeError(
      `writeSafetensors, "${name}"`,
      [shape, [data.length]],
      'The data must have as many numbers as the shape.',
    );
  }
}

function fileType(dtype: DType, data: TensorData, floatType: FloatFileType | undefined): WrittenType {
  switch (dtype) {
    case 'float32':
      return floatType ?? (data instanceof Float64Array ? 'F64' : 'F32');
    case 'float16':
      return floatType ?? 'F16';
    case 'int32':
      return 'I32';
    case 'uint32':
      return 'U32';
    case 'bool':
      return 'BOOL';
    default:
      return dtype satisfies never;
  }
}

/** One field of a JSON object. Written by hand because an object would put names that look like integers first. */
function field(name: string, value: object): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}
