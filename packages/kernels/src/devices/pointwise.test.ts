// Every pointwise operation, one by one, against float64 arithmetic and `Math`, over wide ranges and special values.
import { describe, expect, it } from 'vitest';
import type { DType } from '../dtype.js';
import type { Expression } from '../expression.js';
import type { MapKernel } from '../kernel.js';
import { pointwiseOps } from '../pointwise.js';
import { deviceLabels, useDevice } from '../testing/devices.js';
import { expectPointwise } from '../testing/pointwise-operations.js';
import { runKernel } from '../testing/run-kernel.js';

describe.each([...deviceLabels, 'reference'])('pointwise operations on %s', (label) => {
  const device = useDevice(label);

  it('stores constants as their dtype does', async () => {
    const constants: [DType, number, number][] = [
      ['int32', 2 ** 32 - 1, -1],
      ['uint32', -1, 2 ** 32 - 1],
      ['bool', 2, 1],
      ['float32', Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ];
    for (const [dtype, value, expected] of constants) {
      const expression: Expression = { instructions: [{ op: 'constant', dtype, value }], results: [0] };
      const kernel: MapKernel = { kind: 'map', inputs: [], scalars: [], shape: [3], expression };
      const [result] = await runKernel(device(), kernel, []);
      expect(Array.from(result), dtype).toEqual([expected, expected, expected]);
    }
  });

  it.each(pointwiseOps)('%s', async (op) => {
    const checked = expectPointwise(device(), op);
    if (op !== 'toFloat16' || device().hasFloat16) await checked;
    else await expect(checked).rejects.toThrow(expect.objectContaining({ code: 'UNSUPPORTED_DTYPE' }));
  });
});
