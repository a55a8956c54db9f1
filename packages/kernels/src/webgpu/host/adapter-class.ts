/** Guesses the class of an adapter from what it says of itself. */

import type { AdapterClass } from '../target.js';

const software = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;

/** AMD's GPUs within a processor have names without a model number of a card: 'AMD Radeon Graphics', 'Radeon 780M'. */
const amdIntegrated = /radeon(\(tm\))? (graphics|vega|\d{3,4}m\b)/i;

/** `info` is `adapter.info`; browsers leave parts of it empty. What cannot be told is taken for the weaker class. */
export function guessAdapterClass(
  info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'> &
    Partial<Pick<GPUAdapterInfo, 'isFallbackAdapter'>>,
): AdapterClass {
  const text = [info.vendor, info.architecture, info.device, info.description].join(' ');
  if (info.isFallbackAdapter || software.test(text)) return 'software';
  switch (info.vendor.toLowerCase()) {
    case 'nvidia':
      return 'discrete';
    case 'amd':
      return amdIntegrated.test(info.description) ? 'integrated' : 'discrete';
    case 'apple':
      return 'apple';
    case 'intel':
      return /xe-2hpg|\barc\b.* [ab]\d{3}/i.test(text) ? 'discrete' : 'integrated';
    default:
      return 'integrated';
  }
}
