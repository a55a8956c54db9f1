/**
 * Bytes of scratch memory that each WebAssembly kernel needs: the same decisions as in the AssemblyScript file of the same
 * name under assembly/, from the sizes alone.
 */

import type { Conv2dGeometry } from '../kernel.js';

const TILE_COLUMNS = 8;

const MATMUL_BLOCK_DEPTH = 512;
const MATMUL_BLOCK_ROWS = 32;
const MATMUL_SHARED_PACK_ROWS = 192;
const MATMUL_CHUNKS = 16;
const MATMUL_SLICE_DEPTH = 1024;

/** Sizes of a product as the kernel is called with them; batch strides count floats, 0 = one matrix for the whole batch. */
export interface MatmulSizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly batchStrideA: number;
  readonly batchStrideB: number;
}

/** Bytes for `matmul`: partial sums of the slices of k, the packed B if it is shared, an area for each thread. */
export function matmulScratch(sizes: MatmulSizes, threads: number): number {
  const { n, k, transposeA, batchStrideA, batchStrideB } = sizes;
  let { batch, m } = sizes;
  if (batchStrideB === 0 && !transposeA && (batch === 1 || batchStrideA === m * k)) {
    m *= batch;
    batch = 1;
  }
  const panels = Math.ceil(n / TILE_COLUMNS);
  const isShared = batch === 1 && m >= MATMUL_SHARED_PACK_ROWS;
  const rowGroups = isShared ? Math.ceil(m / MATMUL_BLOCK_ROWS) : 1;
  const wantedColumnGroups = isShared
    ? 1
    : Math.min(Math.ceil(MATMUL_CHUNKS / batch), Math.ceil(panels / 2));
  const columnGroup = Math.ceil(panels / wantedColumnGroups);
  const blocks = batch * rowGroups * Math.ceil(panels / columnGroup);
  const slices = Math.max(1, Math.min(Math.floor(MATMUL_CHUNKS / blocks), Math.floor(k / MATMUL_SLICE_DEPTH)));

  const partials = slices > 1 ? slices * batch * m * n : 0;
  const packed = isShared ? panels * TILE_COLUMNS * k : 0;
  const areaColumns = isShared ? 0 : columnGroup * TILE_COLUMNS;
  const area =
    (areaColumns + MATMUL_BLOCK_ROWS) * Math.min(k, MATMUL_BLOCK_DEPTH) + MATMUL_BLOCK_ROWS * 2 + 16;
  return 4 * (partials + packed + threads * area);
}
