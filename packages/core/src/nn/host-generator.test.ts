// Expected numbers are those of PyTorch: torch.manual_seed(0), then torch.randn(...), torch.rand(...).
import { describe, expect, it } from 'vitest';
import { HostGenerator, manualSeed, sharedGenerator } from './host-generator.js';

describe('HostGenerator', () => {
  it('gives the normal numbers of torch.randn from 16 numbers on', () => {
    const expected = [
      -1.1258398, -1.1523602, -0.25057858, -0.43387884, 0.8487103, 0.69200915, -0.31601277, -2.1152194,
      0.3222749, -1.2633348, 0.3499832, 0.30813393, 0.1198415, 1.237658, 1.1167772, -0.24727815,
    ];
    const numbers = new HostGenerator(0).normal(16);
    expected.forEach((x, i) => {
      expect(numbers[i]).toBeCloseTo(x, 5);
    });
  });

  it('gives the normal numbers of torch.randn below 16 numbers', () => {
    const expected = [1.541, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986, 0.4033, 0.838, -0.7193];
    const numbers = new HostGenerator(0).normal(9);
    expected.forEach((x, i) => {
      expect(numbers[i]).toBeCloseTo(x, 4);
    });
  });

  it('draws the last 16 anew where the count is no multiple of 16', () => {
    const generator = new HostGenerator(0);
    const numbers = generator.normal(20);
    const again = new HostGenerator(0);
    expect(numbers.slice(0, 4)).toEqual(again.normal(16).slice(0, 4));
    again.uniform(4);
    expect(numbers.slice(4)).toEqual(again.normal(16));
    expect(generator.uniform(1)).toEqual(again.uniform(1));
  });

  it('gives the uniform numbers of torch.rand, in any range', () => {
    const expected = [0.4963, 0.7682, 0.0885, 0.132, 0.3074];
    const unit = new HostGenerator(0).uniform(5);
    const scaled = new HostGenerator(0).uniform(5, -2, 4);
    expected.forEach((x, i) => {
      expect(unit[i]).toBeCloseTo(x, 4);
      expect(scaled[i]).toBeCloseTo(6 * Number(unit[i]) - 2, 6);
    });
  });
});

describe('manualSeed', () => {
  it('restarts the shared generator', () => {
    manualSeed(7);
    const numbers = sharedGenerator().uniform(3);
    expect(sharedGenerator().uniform(3)).not.toEqual(numbers);
    manualSeed(7);
    expect(sharedGenerator().uniform(3)).toEqual(numbers);
  });
});
