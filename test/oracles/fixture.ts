// Reads files that diffusers and PyTorch computed.
import { readFile } from 'node:fs/promises';
import { type Fixture, parseFixture } from './fixture-tensors.js';

export * from './fixture-tensors.js';

/** Opens test/fixtures/oracle/NAME.safetensors. */
export async function readFixture(name: string): Promise<Fixture> {
  return parseFixture(await readFile(fixtureFile(name)));
}

export function fixtureFile(name: string): URL {
  return new URL(`../fixtures/oracle/${name}.safetensors`, import.meta.url);
}
