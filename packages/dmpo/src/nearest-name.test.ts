// Suggestions for mistyped names.
import { describe, expect, it } from 'vitest';
import { nearestName, suggestName } from './nearest-name.js';

const known = ['beta', 'alpha', 'learningRate', 'block_out_channels', 'steps'];

describe('nearestName', () => {
  it.each([
    ['bta', 'beta'],
    ['learning_rate', 'learningRate'],
    ['blockOutChannels', 'block_out_channels'],
    ['Step', 'steps'],
  ])('finds what %s was meant to be', (typed, expected) => {
    expect(nearestName(typed, known)).toBe(expected);
  });

  it('keeps silent when nothing is near', () => {
    expect(nearestName('temperature', known)).toBeUndefined();
    expect(nearestName('beta', [])).toBeUndefined();
  });
});

describe('suggestName', () => {
  it('suggests the nearest name, or lists them all', () => {
    expect(suggestName('alhpa', known)).toBe('Did you mean "alpha"?');
    expect(suggestName('temperature', ['a', 'b'])).toBe('Known: a, b.');
  });
});
