// Gradient of attention, from the saved logsumexp and without the matrix of scores (Dao 2023, algorithm 2):
//
//     P = exp(scale Q K^T - logsumexp)     D = rowsum(dO * O)     dS = scale P * (dO V^T - D)
//     dV = P^T dO     dQ = dS K     dK = dS^T Q
//
// A chunk is one head, so that one thread adds up its dQ, dK and dV in order; where heads are fewer than
// threads, the keys of a head are sliced, each slice leaves a partial dQ in scratch memory, and the slices
// are summed in order.

import { AttentionSizes, packKeys, packTokens, roundToPanel } from './attention';
import { fillRows, multiplyOuter, multiplyPanels, ROW_ENTRY, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { exp, horizontalSum, loadLanes, madd } from './simd';
import { sumSlices } from './slices';
import { barrier, claim } from './threads';

/** Queries and keys of a block: its scores and their gradients are 16 KiB each. */
const BLOCK_QUERIES: i32 = 64;
const BLOCK_KEYS: i32 = 64;
/** Wanted number of chunks, and floats of dQ that one claim sums over the slices. */
const CHUNKS: i32 = 16;
const REDUCE_FLOATS: i32 = 4096;

/**
 * Shapes as in attention: dO, q, o, dq [batch, queries, heads, headDim]; k, v, dk, dv [batch, keys, heads,
 * headDim].
 */
export function attentionGrad(
  dO: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  logsumexp: usize,
  dq: usize,
  dk: usize,
  dv: usize,
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
  const sliceKeys = sliceKeysOf(s);
  const slices = (keys + sliceKeys - 1) / sliceKeys;
  const queryFloats = s.batch * queries * heads * headDim;
  const area = scratch + <usize>partialsBytes(s) + <usize>thread * areaBytes(headDim);

  const chunks = pairs * slices;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const pair = chunk / slices;
    const slice = chunk % slices;
    const firstKey = slice * sliceKeys;
    const queryOffset = (<usize>(((pair / heads) * queries * heads + (pair % heads)) * headDim)) << 2;
    const keyOffset = (<usize>((((pair / heads) * keys + firstKey) * heads + (pair % heads)) * headDim)) << 2;
    const gradient = slices > 1 ? scratch + ((<usize>(slice * queryFloats)) << 2) : dq;
    gradientOfKeys(
      dO + queryOffset,
      q + queryOffset,
      k + keyOffset,
      v + keyOffset,
      o + queryOffset,
      logsumexp + ((<usize>(pair * queries)) << 2),
      gradient + queryOffset,
      dk + keyOffset,
      dv + keyOffset,
      queries,
      min(sliceKeys, keys - firstKey),
      headDim,
      (<usize>(heads * headDim)) << 2,
      s.scale,
      area,
    );
  }
  barrier();

  if (slices > 1) {
    const count = (queryFloats + REDUCE_FLOATS - 1) / REDUCE_FLOATS;
    for (let index = claim(); index < count; index = claim()) {
      const begin = index * REDUCE_FLOATS;
      sumSlices(scratch, dq, begin, min(begin + REDUCE_FLOATS, queryFloats), queryFloats, slices);
    }
    barrier();
  }
}

/** Bytes of scratch memory: partial dQ of the slices, and an area for each thread. */
export function attentionGradScratch(s: AttentionSizes, threads: i32): u64 {
  return partialsBytes(s) + <u64>threads * areaBytes(s.headDim);
}

/** Keys of a slice, whole blocks. */
@inline
function sliceKeysOf(s: AttentionSizes): i32 {
  const pairs = s.batch * s.heads;
  const blocks = (s.keys + BLOCK_KEYS - 1) / BLOCK_KEYS;
  const wanted = min(blocks, (CHUNKS + pairs - 1) / pairs);
  return ((blocks + wanted - 1) / wanted) * BLOCK_KEYS;
}

@inline
function partialsBytes(s: AttentionSizes): u64 {
  const sliceKeys = sliceKeysOf(s);
  const slices = (s.keys + sliceKeys - 1) / sliceKeys;
  return slices > 1 ? (((<u64>slices * s.batch) * s.queries) * s.heads * s.headDim) << 2 : 0;
}

/**
 * A thread's area: table of rows, a segment, packed keys (two ways), values, queries and dO, two blocks of
 * scores.
 */
@inline
function areaBytes(headDim: i32): usize {
  const floats =
    BLOCK_QUERIES * (ROW_ENTRY >> 2) +
    4 +
    2 * BLOCK_KEYS * headDim +
    (BLOCK_KEYS + 2 * BLOCK_QUERIES) * roundToPanel(headDim) +
    2 * BLOCK_QUERIES * BLOCK_KEYS;
  return (<usize>floats) << 2;
}

/** All queries of one head against some of its keys; tokens are `stride` bytes apart. */
function gradientOfKeys(
  dO: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  logsumexp: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  queries: i32,
  keys: i32,
  headDim: i32,
  stride: usize,
  scale: f32,
  area: usize,
): void {
  const table = area;
  const segment = table + BLOCK_QUERIES * ROW_ENTRY;
  const keyColumns = segment + 16;
  const valueColumns = keyColumns + ((<usize>(BLOCK_KEYS * headDim)) << 2);
  const keyRows = valueColumns + ((<usize>(BLOCK_KEYS * headDim)) << 2);
  const queryRows = keyRows + ((<usize>(BLOCK_KEYS * roundToPanel(headDim))) << 2);
  const outputRows = queryRows + ((<usize>(BLOCK_QUERIES * roundToPanel(headDim))) << 2);
  const scores = outputRows + ((<usize>(BLOCK_QUERIES * roundToPanel(headDim))) << 2);
  const gradients = scores + ((BLOCK_QUERIES * BLOCK_KEYS) << 2);
  const columnBytes = (<usize>(headDim * TILE_COLUMNS)) << 2;
  store<usize>(segment, 0);

  for (let firstKey = 0; firstKey < keys; firstKey += BLOCK_KEYS) {
    const count = min(BLOCK_KEYS, keys - firstKey);
    const keyOffset = <usize>firstKey * stride;
    packKeys(k + keyOffset, keyColumns, count, headDim, stride, scale);
    packKeys(v + keyOffset, valueColumns, count, headDim, stride, 1);
    packTokens(k + keyOffset, keyRows, count, headDim, stride);

    for (let first = 0; first < queries; first += BLOCK_QUERIES) {
      const rows = min(BLOCK_QUERIES, queries - first);
      const queryOffset = <usize>first * stride;
      packTokens(q + queryOffset, queryRows, rows, headDim, stride);
      packTokens(dO + queryOffset, outputRows, rows, headDim, stride);

      fillRows(table, rows, q + queryOffset, stride, scores, BLOCK_KEYS << 2);
      multiplyPanels(
        table,
        rows,
        segment,
        1,
        headDim,
        keyColumns,
        columnBytes,
        0,
        roundToPanel(count),
        false,
      );
      fillRows(table, rows, dO + queryOffset, stride, gradients, BLOCK_KEYS << 2);
      multiplyPanels(
        table,
        rows,
        segment,
        1,
        headDim,
        valueColumns,
        columnBytes,
        0,
        roundToPanel(count),
        false,
      );
      for (let row = 0; row < rows; row++) {
        const token = queryOffset + <usize>row * stride;
        const at = (<usize>(row * BLOCK_KEYS)) << 2;
        gradientOfScores(
          scores + at,
          gradients + at,
          count,
          load<f32>(logsumexp + ((<usize>(first + row)) << 2)),
          dotProduct(dO + token, o + token, headDim),
          scale,
        );
      }

      addTransposed(scores, outputRows, rows, dv + keyOffset, stride, count, headDim, first > 0);
      addTransposed(gradients, queryRows, rows, dk + keyOffset, stride, count, headDim, first > 0);
      fillRows(table, rows, gradients, BLOCK_KEYS << 2, dq + queryOffset, stride);
      multiplyPanels(
        table,
        rows,
        segment,
        1,
        count,
        keyRows,
        (<usize>(count * TILE_COLUMNS)) << 2,
        0,
        headDim,
        firstKey > 0,
      );
    }
  }
}

/** A row of scores becomes P = exp(score - logsumexp), a row of dO V^T becomes dS = scale P (dO V^T - D). */
function gradientOfScores(
  scores: usize,
  gradients: usize,
  count: i32,
  logsumexp: f32,
  d: f32,
  scale: f32,
): void {
  const end = scores + ((<usize>count) << 2);
  const shift = f32x4.splat(logsumexp);
  const offset = f32x4.splat(d);
  const factor = f32x4.splat(scale);
  // Four vectors at a time, because V8 builds constants anew in every iteration.
  while (scores + 64 <= end) {
    const p0 = exp(f32x4.sub(v128.load(scores), shift));
    const p1 = exp(f32x4.sub(v128.load(scores, 16), shift));
    const p2 = exp(f32x4.sub(v128.load(scores, 32), shift));
    const p3 = exp(f32x4.sub(v128.load(scores, 48), shift));
    v128.store(scores, p0);
    v128.store(scores, p1, 16);
    v128.store(scores, p2, 32);
    v128.store(scores, p3, 48);
    storeGradient(gradients, p0, factor, offset);
    storeGradient(gradients + 16, p1, factor, offset);
    storeGradient(gradients + 32, p2, factor, offset);
    storeGradient(gradients + 48, p3, factor, offset);
    scores += 64;
    gradients += 64;
  }
  while (scores < end) {
    const p = exp(f32x4.sub(v128.load(scores), shift));
    v128.store(scores, p);
    storeGradient(gradients, p, factor, offset);
    scores += 16;
    gradients += 16;
  }
}

@inline
function storeGradient(gradients: usize, p: v128, factor: v128, offset: v128): void {
  v128.store(gradients, f32x4.mul(f32x4.mul(p, factor), f32x4.sub(v128.load(gradients), offset)));
}

/** output[key][d] = or += sum over rows of block[row][key] * tokens[row][d]; tokens are packed panels. */
function addTransposed(
  block: usize,
  tokens: usize,
  rows: i32,
  output: usize,
  stride: usize,
  keys: i32,
  headDim: i32,
  accumulate: bool,
): void {
  const panelBytes = (<usize>(rows * TILE_COLUMNS)) << 2;
  for (let column = 0; column < headDim; column += TILE_COLUMNS) {
    multiplyOuter(
      block,
      BLOCK_KEYS << 2,
      TILE_ROWS << 2,
      tokens,
      1,
      rows,
      TILE_COLUMNS << 2,
      0,
      output + ((<usize>column) << 2),
      stride,
      keys,
      min(TILE_COLUMNS, headDim - column),
      accumulate,
    );
    tokens += panelBytes;
  }
}

function dotProduct(a: usize, b: usize, count: i32): f32 {
  let sum = f32x4.splat(0);
  for (; count > 0; count -= 4) {
    sum = madd(loadLanes(a, count), loadLanes(b, count), sum);
    a += 16;
    b += 16;
  }
  return horizontalSum(sum);
}
