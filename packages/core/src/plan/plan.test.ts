// Plans of random graphs: they compute what the nodes compute one by one, within the limits that plans promise.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { casesOn, devices, useDevice } from '../../../../test/devices.js';
import { grad } from '../grad.js';
import { planStatistics, realize } from '../realize.js';
import type { Tensor } from '../tensor.js';
import { Choices, expectClose, forAll, seeds, size } from '../testing/data.js';
import { randomGraph } from '../testing/random-graph.js';
import type { BufferRef, Plan } from './plan.js';

const cases = fc.record({ seed: seeds, nodes: size(5, 40), wanted: size(1, 4) });

/** Tensors of the graph by random choice, and the gradient of one of them. */
function chosen(pool: readonly Tensor[], seed: number, wanted: number): Tensor[] {
  const choices = new Choices(seed + 1);
  const roots = Array.from({ length: wanted }, () => choices.of(pool));
  return choices.below(2) ? [...roots, ...grad(roots[0].tanh().mean(), [pool[0], pool[2]])] : roots;
}

const name = ({ from, index }: BufferRef) => `${from} ${index}`;

function checkLimits(plan: Plan): void {
  plan.steps.forEach(({ kernel, inputs, outputs, scalars }) => {
    const buffers = new Set([...inputs, ...outputs].map(name));
    expect(buffers.size, `buffers of a ${kernel.kind}`).toBeLessThanOrEqual(8);
    expect(inputs.length).toBe(kernel.inputs.length);
    expect(scalars.length).toBe(kernel.scalars.length);
    expect(new Set(outputs.map(name)).size, 'distinct outputs').toBe(outputs.length);
    const together = new Set(
      [...inputs, ...outputs].filter(({ from }) => from === 'slot').map(({ index }) => index),
    );
    const bytes = [...together].reduce((sum, slot) => sum + plan.slotBytes[slot], 0);
    expect(plan.peakBytes).toBeGreaterThanOrEqual(bytes);
  });
  expect(plan.peakBytes).toBe(plan.slotBytes.reduce((a, b) => a + b, 0));
  expect(plan.peakBytes).toBeLessThanOrEqual(plan.intermediateBytes);
}

describe.each(devices)('plans on %s', (deviceName) => {
  const device = useDevice(deviceName);
  const tolerance = deviceName === 'reference' ? 1e-10 : 1e-4;

  it('compute what their nodes compute one by one', async () => {
    await forAll(cases, casesOn(deviceName, 120), async ({ seed, nodes, wanted }) => {
      const made: Tensor[] = [];
      const eager = randomGraph(seed, nodes, (node) => {
        realize(node);
        made.push(node);
        return node;
      });
      const expected: number[][] = [];
      for (const root of chosen(eager, seed, wanted)) {
        expected.push(Array.from(await root.data()));
        made.push(root);
      }
      for (const node of made) node.dispose();

      const roots = chosen(randomGraph(seed, nodes), seed, wanted);
      realize(...roots);
      const plan = planStatistics().last;
      if (plan) checkLimits(plan);
      const actual: number[][] = [];
      for (const root of roots) actual.push(Array.from(await root.data()));
      for (const root of roots) root.dispose();
      expected.forEach((values, i) => {
        const scale = Math.max(1, ...values.map(Math.abs));
        expectClose(actual[i], values, () => tolerance * scale, `root ${i} of shape [${roots[i].shape}]`);
      });
      expect(device().memory().buffers).toBe(0);
    });
  });

  it('are found again for a graph built again', async () => {
    await forAll(cases, casesOn(deviceName, 20), async ({ seed, nodes, wanted }) => {
      const run = async () => {
        const roots = chosen(randomGraph(seed, nodes), seed, wanted);
        realize(...roots);
        const values: number[][] = [];
        for (const root of roots) values.push(Array.from(await root.data()));
        for (const root of roots) root.dispose();
        return values;
      };
      const first = await run();
      const { plansMade } = planStatistics();
      expect(await run()).toEqual(first);
      expect(planStatistics().plansMade).toBe(plansMade);
    });
  });
});
