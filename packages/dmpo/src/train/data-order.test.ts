// The order in which training sees the data.
import { describe, expect, it } from 'vitest';
import { useDevice } from '../../../../test/devices.js';
import { DataOrder } from './data-order.js';

useDevice('cpu');

const batches = async (order: DataOrder, indices: number[]) =>
  Promise.all(indices.map((index) => order.items(index)));

describe('DataOrder', () => {
  it('shows every item once an epoch, in another order each time', async () => {
    const items = (await batches(new DataOrder(3, 10, 5), [0, 1, 2, 3])).flat();
    const [first, second] = [items.slice(0, 10), items.slice(10)];
    for (const epoch of [first, second])
      expect([...epoch].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second).not.toEqual(first);
  });

  it('carries batches across the end of an epoch', async () => {
    const items = (await batches(new DataOrder(3, 10, 4), [0, 1, 2, 3, 4])).flat();
    expect(items).toEqual((await batches(new DataOrder(3, 10, 5), [0, 1, 2, 3])).flat());
  });

  it('depends on the seed and the number of the batch only', async () => {
    const late = await new DataOrder(3, 10, 4).items(7);
    const order = new DataOrder(3, 10, 4);
    await batches(order, [0, 9, 2]);
    expect(await order.items(7)).toEqual(late);
    expect(await new DataOrder(4, 10, 4).items(7)).not.toEqual(late);
  });

  it('refuses batches that would hold an item twice', () => {
    expect(() => new DataOrder(0, 3, 4)).toThrow(expect.objectContaining({ code: 'BATCH_TOO_LARGE' }));
  });
});
