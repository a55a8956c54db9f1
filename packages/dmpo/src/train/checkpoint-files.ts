/** The bytes of a checkpoint's files: written from tensors and values, and read back with errors that name the file. */

import {
  DmpoError,
  hostTensors,
  Parameter,
  readSafetensors,
  type Tensor,
  writeSafetensors,
} from '@dmpo/core';
import { messageOf } from '../message-of.js';
import type { CheckpointFiles } from './checkpoint-storage.js';

export type Tensors = Map<string, Tensor>;

/** A state dictionary as the bytes of a safetensors file, without loss unless `dtype` is F16. */
export async function safetensorsOf(
  tensors: ReadonlyMap<string, Tensor>,
  dtype?: 'F16' | 'F32',
): Promise<Uint8Array> {
  const numbers = await hostTensors(tensors);
  for (const tensor of tensors.values()) if (!(tensor instanceof Parameter)) tensor.dispose();
  return writeSafetensors(numbers, { format: 'pt' }, dtype && { dtype });
}

/** JSON as the bytes of a text file. */
export function jsonOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** @throws `BAD_CHECKPOINT` */
export function parseJson(files: CheckpointFiles, name: string): unknown {
  return parsed(files, name, (bytes) => JSON.parse(new TextDecoder().decode(bytes)));
}

/** @throws `BAD_CHECKPOINT` */
export function parseTensors(files: CheckpointFiles, name: string): Tensors {
  return parsed(files, name, (bytes) => readSafetensors(bytes).tensors);
}

function parsed<Content>(
  files: CheckpointFiles,
  name: string,
  parse: (bytes: Uint8Array) => Content,
): Content {
  const bytes = files.get(name);
  const fix = 'Resume from another checkpoint, or start again in a new folder.';
  if (bytes === undefined) throw new DmpoError('BAD_CHECKPOINT', `The checkpoint has no ${name}.`, fix);
  try {
    return parse(bytes);
  } catch (cause) {
    const problem = `${name} of the checkpoint is damaged: ${messageOf(cause)}`;
    throw new DmpoError('BAD_CHECKPOINT', problem, fix, { cause });
  }
}

/**
 * The numbers from which two data sets or two models can be told apart, as a short text.
 * 32 bits (FNV-1a) suffice to notice a mistake; this is no protection against intent.
 */
export function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
