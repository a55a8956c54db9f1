/** The bits of WebGPU's usages and stages: the same numbers everywhere, but global names only in browsers. */

export const bufferUsage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyDestination: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;

export const MAP_READ = 0x1;

export const COMPUTE_STAGE = 0x4;
