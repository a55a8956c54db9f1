// What a file that diffusers or PyTorch computed holds, and how far tensors lie from it. Their layouts are NCHW and OIHW.
import { readSafetensors, type Tensor } from '@dmpo/core';

export interface Fixture {
  readonly metadata: Record<string, string>;
  /** A tensor of the file, in the file's layout. */
  tensor(name: string): Tensor;
  /** Images of the file, as [batch, height, width, channels]. */
  images(name: string): Tensor;
  /** The tensors whose names begin with `prefix`, by the rest of the name. */
  group(prefix: string): Map<string, Tensor>;
}

export function parseFixture(file: Uint8Array): Fixture {
  const { tensors, metadata } = readSafetensors(file);
  const tensor = (name: string) => {
    const found = tensors.get(name);
    if (!found) throw new Error(`the file has no tensor ${name}`);
    return found;
  };
  return {
    metadata,
    tensor,
    images: (name) => toChannelsLast(tensor(name)),
    group: (prefix) =>
      new Map(
        [...tensors]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
      ),
  };
}

/** [..., channels, height, width] -> [..., height, width, channels] */
export function toChannelsLast(images: Tensor): Tensor {
  const rank = images.shape.length;
  return images.permute(...Array(rank - 3).keys(), rank - 2, rank - 1, rank - 3);
}

/** Largest difference, relative to the expected tensor's largest magnitude or to `scale`. */
export async function relativeError(actual: Tensor, expected: Tensor, scale?: number): Promise<number> {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(`shape [${actual.shape}] instead of [${expected.shape}]`);
  const [got, want] = [await actual.data(), await expected.data()];
  const differences = Array.from(got, (value, i) => value - Number(want[i]));
  return largestMagnitude(differences) / (scale ?? largestMagnitude(want));
}

/** Largest magnitude in an array; NaN if anything in it is. */
export function largestMagnitude(values: ArrayLike<number>): number {
  return Array.from(values).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

/** Euclidean norm of a tensor, or of the difference of two. */
export async function norm(a: Tensor, b?: Tensor): Promise<number> {
  const difference = await (b ? a.sub(b) : a).data();
  return Math.sqrt(Array.from(difference).reduce((sum, value) => sum + value * value, 0));
}

/** Attention ignores a shift of all keys: this bias has no gradient but rounding noise. */
export function isKeyBias(name: string): boolean {
  return name.endsWith('.to_k.bias');
}
