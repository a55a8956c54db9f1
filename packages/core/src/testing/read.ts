/** Reading tensors in tests. */

import type { Tensor } from '../tensor.js';

/** The numbers of a tensor; its memory is given back. */
export async function numbers(x: Tensor): Promise<number[]> {
  const data = await x.data();
  x.dispose();
  return Array.from(data);
}
