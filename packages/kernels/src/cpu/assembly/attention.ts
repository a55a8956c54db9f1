// softmax(scale Q K^T) V without the matrix of scores: a block of keys at a time, the softmax kept up to date
// row by row (its maximum m and sum l), the output rescaled whenever a row's maximum grows (FlashAttention-2,
// Dao 2023, algorithm 1).

import { fillRows, multiplyPanels, ROW_ENTRY, TILE_COLUMNS } from './gemm-tile';
import { log } from './math';
import { packPanel, packPanelTransposed } from './pack';
import { exp, horizontalSum } from './simd';
import { barrier, claim } from './threads';

/**
 * Queries and keys of a block of scores: 32 KiB, in the second-level cache with the block's keys and values.
 */
const BLOCK_QUERIES: i32 = 64;
const BLOCK_KEYS: i32 = 128;
/** Wanted number of chunks; a chunk is at least a block of queries of one head. */
const CHUNKS: i32 = 32;

/** The sizes of an attention or of its gradient, as the device writes them: i32 but for the scale. */
@unmanaged
export class AttentionSizes {
  batch: i32;
  heads: i32;
  queries: i32;
  keys: i32;
  headDim: i32;
  scale: f32;
}

/**
 * q, o: [batch, queries, heads, headDim]; k, v: [batch, keys, heads, headDim]. o = softmax(scale q k^T) v;
 * logsumexp [batch, heads, queries] is the natural logarithm of the sum of exp(scale q k^T).
 */
export function attention(
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  logsumexp: usize,
  sizes: usize,
  scratch: usize,
  thread: i32,
): void {
  const s = changetype<AttentionSizes>(sizes);
  const heads = s.heads;
  const queries = s.queries;
  const keys = s.keys;
  const headDim = s.headDim;
  const pairs = s.batch * heads;
  const groupQueries = groupQueriesOf(s);
  const groups = (queries + groupQueries - 1) / groupQueries;
  const area = scratch + <usize>thread * areaBytes(s);

  const chunks = pairs * groups;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const pair = chunk / groups;
    const firstQuery = (chunk % groups) * groupQueries;
    const keyOffset = (<usize>(((pair / heads) * keys * heads + (pair % heads)) * headDim)) << 2;
    const queryOffset =
      (<usize>((((pair / heads) * queries + firstQuery) * heads + (pair % heads)) * headDim)) << 2;
    attendQueries(
      q + queryOffset,
      k + keyOffset,
      v + keyOffset,
      o + queryOffset,
      logsumexp + ((<usize>(pair * queries + firstQuery)) << 2),
      min(groupQueries, queries - firstQuery),
      keys,
      headDim,
      (<usize>(heads * headDim)) << 2,
      s.scale,
      area,
    );
  }
  barrier();
}

/** Bytes of scratch memory: an area for each thread. */
export function attentionScratch(s: AttentionSizes, threads: i32): u64 {
  return <u64>threads * areaBytes(s);
}

/** Queries of a chunk, whole blocks. */
@inline
function groupQueriesOf(s: AttentionSizes): i32 {
  const pairs = s.batch * s.heads;
  const blocks = (s.queries + BLOCK_QUERIES - 1) / BLOCK_QUERIES;
  const wanted = min(blocks, (CHUNKS + pairs - 1) / pairs);
  return ((blocks + wanted - 1) / wanted) * BLOCK_QUERIES;
}

/** A thread's area: maxima and sums of a chunk, a table of rows, a segment, packed keys and values, scores. */
@inline
function areaBytes(s: AttentionSizes): usize {
  const floats =
    2 * groupQueriesOf(s) +
    BLOCK_QUERIES * (ROW_ENTRY >> 2) +
    4 +
    BLOCK_KEYS * (s.headDim + roundToPanel(s.headDim) + BLOCK_QUERIES);
  return (<usize>floats) << 2;
}

@inline
export function roundToPanel(count: i32): i32 {
  return (count + TILE_COLUMNS - 1) & ~(TILE_COLUMNS - 1);
}

/** Some queries of one head against all its keys; tokens are `stride` bytes apart. */
function attendQueries(
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  logsumexp: usize,
  queries: i32,
  keys: i32,
  headDim: i32,
  stride: usize,
  scale: f32,
  area: usize,
): void {
  const maxima = area;
  const sums = maxima + ((<usize>queries) << 2);
  const table = sums + ((<usize>queries) << 2);
  const segment = table + BLOCK_QUERIES * ROW_ENTRY;
  const packedKeys = segment + 16;
  const packedValues = packedKeys + ((<usize>(BLOCK_KEYS * headDim)) << 2);
  const scores = packedValues + ((<usize>(BLOCK_KEYS * roundToPanel(headDim))) << 2);
  store<usize>(segment, 0);

  for (let firstKey = 0; firstKey < keys; firstKey += BLOCK_KEYS) {
    const count = min(BLOCK_KEYS, keys - firstKey);
    packKeys(k + <usize>firstKey * stride, packedKeys, count, headDim, stride, scale);
    packTokens(v + <usize>firstKey * stride, packedValues, count, headDim, stride);

    for (let first = 0; first < queries; first += BLOCK_QUERIES) {
      const rows = min(BLOCK_QUERIES, queries - first);
      const output = o + <usize>first * stride;
      fillRows(table, rows, q + <usize>first * stride, stride, scores, BLOCK_KEYS << 2);
      // Whole panels: the scores of the padding keys are zeros that are never looked at.
      multiplyPanels(
        table,
        rows,
        segment,
        1,
        headDim,
        packedKeys,
        (<usize>(headDim * TILE_COLUMNS)) << 2,
        0,
        roundToPanel(count),
        false,
      );
      for (let row = 0; row < rows; row++) {
        const at = (<usize>(first + row)) << 2;
        updateRow(
          scores + <usize>((row * BLOCK_KEYS) << 2),
          count,
          maxima + at,
          sums + at,
          output + <usize>row * stride,
          headDim,
          firstKey == 0,
        );
      }
      fillRows(table, rows, scores, BLOCK_KEYS << 2, output, stride);
      multiplyPanels(
        table,
        rows,
        segment,
        1,
        count,
        packedValues,
        (<usize>(count * TILE_COLUMNS)) << 2,
        0,
        headDim,
        firstKey > 0,
      );
    }
  }

  for (let query = 0; query < queries; query++) {
    const sum = load<f32>(sums + ((<usize>query) << 2));
    multiplyFloats(o + <usize>query * stride, headDim, 1 / sum);
    const logarithm = f32x4.extract_lane(log(f32x4.splat(sum)), 0);
    store<f32>(logsumexp + ((<usize>query) << 2), load<f32>(maxima + ((<usize>query) << 2)) + logarithm);
  }
}

/** Panels [8 keys][headDim], the keys scaled, so that products with them are the scores. */
export function packKeys(k: usize, packed: usize, count: i32, headDim: i32, stride: usize, scale: f32): void {
  const panelBytes = (<usize>(headDim * TILE_COLUMNS)) << 2;
  let to = packed;
  for (let key = 0; key < count; key += TILE_COLUMNS) {
    packPanelTransposed(k + <usize>key * stride, stride, to, headDim, min(TILE_COLUMNS, count - key));
    if (scale != 1) multiplyFloats(to, headDim * TILE_COLUMNS, scale);
    to += panelBytes;
  }
}

/** Panels [8 of headDim][count] of tokens that are `stride` bytes apart. */
export function packTokens(tokens: usize, packed: usize, count: i32, headDim: i32, stride: usize): void {
  const panelBytes = (<usize>(count * TILE_COLUMNS)) << 2;
  let to = packed;
  for (let column = 0; column < headDim; column += TILE_COLUMNS) {
    packPanel(tokens + ((<usize>column) << 2), stride, to, count, min(TILE_COLUMNS, headDim - column));
    to += panelBytes;
  }
}

/**
 * One row of scores becomes exp(score - maximum) in place, with the maximum over all blocks so far; the row's
 * sum and what the output holds of earlier blocks are brought to the new maximum.
 */
function updateRow(
  scores: usize,
  count: i32,
  maximumAt: usize,
  sumAt: usize,
  output: usize,
  headDim: i32,
  isFirst: bool,
): void {
  const lowest = f32x4.splat(-Infinity);
  const end = scores + ((<usize>count) << 2);
  for (let p = end; ((p - scores) & 15) != 0; p += 4) store<f32>(p, -Infinity);

  // pmax drops a NaN, but exp then brings it back.
  let highest = lowest;
  for (let p = scores; p < end; p += 16) highest = f32x4.pmax(highest, v128.load(p));
  highest = f32x4.pmax(highest, v128.shuffle<f32>(highest, highest, 2, 3, 0, 1));
  highest = f32x4.pmax(highest, v128.shuffle<f32>(highest, highest, 1, 0, 3, 2));
  const old: f32 = isFirst ? -(<f32>Infinity) : load<f32>(maximumAt);
  highest = f32x4.pmax(f32x4.splat(old), highest);

  let sums = f32x4.splat(0);
  let p = scores;
  // Four vectors at a time, because V8 builds constants anew in every iteration.
  for (; p + 64 <= end; p += 64) {
    const w0 = exp(f32x4.sub(v128.load(p), highest));
    const w1 = exp(f32x4.sub(v128.load(p, 16), highest));
    const w2 = exp(f32x4.sub(v128.load(p, 32), highest));
    const w3 = exp(f32x4.sub(v128.load(p, 48), highest));
    v128.store(p, w0);
    v128.store(p, w1, 16);
    v128.store(p, w2, 32);
    v128.store(p, w3, 48);
    sums = f32x4.add(sums, f32x4.add(f32x4.add(w0, w1), f32x4.add(w2, w3)));
  }
  for (; p < end; p += 16) {
    const weights = exp(f32x4.sub(v128.load(p), highest));
    v128.store(p, weights);
    sums = f32x4.add(sums, weights);
  }
  let sum = horizontalSum(sums);
  const maximum = f32x4.extract_lane(highest, 0);
  if (!isFirst) {
    const shrink = f32x4.extract_lane(exp(f32x4.sub(f32x4.splat(old), highest)), 0);
    sum += load<f32>(sumAt) * shrink;
    if (maximum != old) multiplyFloats(output, headDim, shrink);
  }
  store<f32>(maximumAt, maximum);
  store<f32>(sumAt, sum);
}

/** Multiplies `count` floats in place. */
function multiplyFloats(pointer: usize, count: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (; count >= 4; count -= 4) {
    v128.store(pointer, f32x4.mul(v128.load(pointer), factors));
    pointer += 16;
  }
  for (; count > 0; count--) {
    store<f32>(pointer, load<f32>(pointer) * factor);
    pointer += 4;
  }
}
