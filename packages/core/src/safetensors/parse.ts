/**
 * Takes a safetensors file apart without interpreting the numbers: every claim of the header is checked before it is used.
 * Format: uint64 header length, JSON header, tensor data (https://huggingface.co/docs/safetensors).
 */

import { DmpoError } from '../errors.js';
import { type FileType, fileTypes, isFileType } from './dtype.js';

/** One tensor as it lies in the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: FileType;
  readonly shape: readonly number[];
  /** View of the file's memory: little-endian elements in row-major order. */
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  /** In the order of their bytes. */
  readonly entries: SafetensorsEntry[];
  readonly metadata: Record<string, string>;
}

/** Longest header that the format allows, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;
/** The one name that is not a tensor's. */
export const METADATA_KEY = '__metadata__';

/**
 * Finds the tensors of a safetensors file. Copies nothing.
 * Throws `SAFETENSORS_TRUNCATED`, `_HEADER_TOO_LARGE`, `_HEADER_INVALID`, `_DUPLICATE_NAME`, `_METADATA_INVALID`,
 * `_DTYPE_UNSUPPORTED`, `_SHAPE_INVALID`, `_OFFSETS_INVALID`, `_SIZE_MISMATCH`, `_OVERLAP`, `_HOLE` or `_TRAILING_BYTES`.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, data } = splitFile(bytes);
  const { [METADATA_KEY]: metadata, ...tensors } = parseHeader(header);
  const located = Object.entries(tensors)
    .map(([name, description]) => locate(name, description, data.length))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(located, data.length);
  return {
    entries: located.map(({ begin, end, ...entry }) => ({ ...entry, bytes: data.subarray(begin, end) })),
    metadata: checkMetadata(metadata),
  };
}

interface LocatedEntry extends Omit<SafetensorsEntry, 'bytes'> {
  /** Bytes from the start of the data section. */
  readonly begin: number;
  readonly end: number;
}

function splitFile(bytes: Uint8Array): { header: Uint8Array; data: Uint8Array } {
  if (bytes.length < 8) {
    throw truncated(`has ${bytes.length} bytes; its header length alone takes 8`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw failure(
      'HEADER_TOO_LARGE',
      `claims a header of ${length} bytes; the format allows ${MAX_HEADER_BYTES}`,
      'It is damaged or not a safetensors file.',
    );
  }
  const dataBegin = 8 + Number(length);
  if (dataBegin > bytes.length) {
    throw truncated(`has ${bytes.length} bytes, but its header alone ends at byte ${dataBegin}`);
  }
  return { header: bytes.subarray(8, dataBegin), data: bytes.subarray(dataBegin) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) throw headerInvalid('does not start with "{"');
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw headerInvalid('is not JSON in UTF-8', { cause });
  }
  if (!isRecord(header)) throw headerInvalid('is not a JSON object');
  refuseDuplicateKeys(text);
  return header;
}

/** `JSON.parse` keeps the last of several equal keys in silence. `json` must be valid JSON. */
function refuseDuplicateKeys(json: string): void {
  const keysOfOpenObjects: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g)) {
    if (token === '{') keysOfOpenObjects.push(new Set());
    else if (token === '}') keysOfOpenObjects.pop();
    else if (colon !== undefined) {
      const key: string = JSON.parse(token.slice(0, -colon.length));
      const keys = keysOfOpenObjects.at(-1);
      if (keys?.has(key)) {
        throw failure('DUPLICATE_NAME', `names ${show(key)} twice in its header`, 'Write the file again.');
      }
      keys?.add(key);
    }
  }
}

function checkMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw failure(
      'METADATA_INVALID',
      `has ${METADATA_KEY} that is not a map from strings to strings`,
      'Store other values as JSON text.',
    );
  }
  return metadata as Record<string, string>;
}

function locate(name: string, description: unknown, dataLength: number): LocatedEntry {
  if (!isRecord(description))
    throw headerInvalid(`describes ${show(name)} by something that is not an object`);
  const { dtype, shape, data_offsets: offsets } = description;
  if (!isFileType(dtype)) {
    throw failure(
      'DTYPE_UNSUPPORTED',
      `stores ${show(name)} as ${show(dtype)}`,
      `Convert it to one of ${Object.keys(fileTypes).join(', ')}.`,
    );
  }
  if (!isListOfSizes(shape)) {
    throw failure(
      'SHAPE_INVALID',
      `gives ${show(name)} the shape ${show(shape)}`,
      'A shape is a list of integers that are not negative.',
    );
  }
  const size = shape.reduce((product, length) => product * length, fileTypes[dtype].bytes);
  if (!Number.isSafeInteger(size)) {
    throw failure(
      'SHAPE_INVALID',
      `gives ${show(name)} the shape ${show(shape)}`,
      'No file is that large: it is damaged.',
    );
  }
  if (!isListOfSizes(offsets) || offsets.length !== 2) {
    throw failure(
      'OFFSETS_INVALID',
      `places ${show(name)} at ${show(offsets)}`,
      'data_offsets is a list of two integers, begin and end.',
    );
  }
  const [begin = 0, end = 0] = offsets;
  if (end - begin !== size) {
    throw failure(
      'SIZE_MISMATCH',
      `places ${show(name)} at bytes ${begin} to ${end}, but ${dtype} ${show(shape)} takes ${size} bytes`,
      'It is damaged: download or export it again.',
    );
  }
  if (end > dataLength) {
    throw truncated(`holds ${dataLength} bytes of data, but ${show(name)} ends at byte ${end}`);
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors, in order, must tile the data section: no byte unused, none used twice. */
function checkCoverage(entries: readonly LocatedEntry[], dataLength: number): void {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin < covered) {
      throw failure('OVERLAP', `stores ${show(name)} over another tensor`, 'It is damaged or made to harm.');
    }
    if (begin > covered) {
      throw failure(
        'HOLE',
        `leaves bytes ${covered} to ${begin} before ${show(name)} unused`,
        'It is damaged or hides data: write it again.',
      );
    }
    covered = end;
  }
  if (covered < dataLength) {
    throw failure(
      'TRAILING_BYTES',
      `goes on for ${dataLength - covered} bytes after its last tensor`,
      'It is damaged or hides data: write it again.',
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** A value of the file as JSON, short enough for a message whatever the file holds. */
function show(value: unknown): string {
  const json = String(JSON.stringify(value));
  return json.length <= 100 ? json : `${json.slice(0, 100)}...`;
}

function failure(code: string, problem: string, fix: string, options?: ErrorOptions): DmpoError {
  return new DmpoError(`SAFETENSORS_${code}`, `The safetensors file ${problem}.`, fix, options);
}

function truncated(problem: string): DmpoError {
  return failure('TRUNCATED', problem, 'Download or export it again.');
}

function headerInvalid(problem: string, options?: ErrorOptions): DmpoError {
  return failure(
    'HEADER_INVALID',
    `has a header that ${problem}`,
    'It is damaged or not a safetensors file.',
    options,
  );
}
