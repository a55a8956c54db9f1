/** Which attentions the flash kernels can do, and the schedule of a pass by adapter class. */

import type { Dispatch } from '../program.js';
import type { Target } from '../target.js';
import { directBlocks, directDispatch } from './direct.js';
import { type AttentionSizes, columnCount, type FlashPass } from './pass.js';
import { tiledBlocks, tiledDispatch } from './tiled.js';
import { sliceCount } from './tiles.js';

/** Rows are read as vectors of four. Of longer ones the registers of a workgroup would hold too few to be worth staging columns. */
const MOST_HEAD_DIM = 256;

export const isFlash = ({ headDim }: Pick<AttentionSizes, 'headDim'>): boolean =>
  headDim % 4 === 0 && headDim <= MOST_HEAD_DIM;

/** One shader that does the pass. */
export function flashDispatch(pass: FlashPass, target: Target): Dispatch {
  const { adapterClass } = target;
  return adapterClass === 'software'
    ? directDispatch(pass, target)
    : tiledDispatch(pass, adapterClass, target);
}

/** Slices that the pass's columns should be cut into, whatever its own number is. */
export function slicesOfColumns(pass: FlashPass, target: Target): number {
  const { adapterClass } = target;
  const blocks = adapterClass === 'software' ? directBlocks(pass) : tiledBlocks(pass, adapterClass, target);
  return sliceCount(adapterClass, pass.sizes.batch * pass.sizes.heads * blocks, columnCount(pass));
}
