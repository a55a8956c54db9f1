// The gradient of layerNorm on [rows, channels]: a row at a time, and parts of dScale and dShift for each task.

import { inputOf, outputOf, size } from './command';
import { horizontalSum, loadLanes, madd, storeLanes } from './simd';
import { barrier, claim } from './threads';

// Sizes, by index.
const ROWS: i32 = 0;
const CHANNELS: i32 = 1;
/** Rows of a task, and number of tasks. */
const CHUNK: i32 = 2;
const CHUNKS: i32 = 3;

/** Scratch memory: for each task its part of dScale and of dShift. */
export function layerNormGrad(command: usize, scratch: usize): void {
  const rows = size(command, ROWS);
  const channels = size(command, CHANNELS);
  const length = size(command, CHUNK);
  const chunks = size(command, CHUNKS);
  const partBytes = <usize>((channels + 3) & ~3) << 2;
  for (let task = claim(); task < chunks; task = claim()) {
    const parts = scratch + <usize>(2 * task) * partBytes;
    memory.fill(parts, 0, 2 * partBytes);
    const end = min((task + 1) * length, rows);
    for (let row = task * length; row < end; row++) gradientRow(command, row, parts, parts + partBytes);
  }
  barrier();

  for (let index = claim(); index < (channels + 15) >> 4; index = claim()) {
    const end = min((index << 4) + 16, channels);
    for (let channel = index << 4; channel < end; channel++) {
      const c = <usize>channel << 2;
      let scale: f64 = 0;
      let shift: f64 = 0;
      for (let task = 0; task < chunks; task++) {
        const parts = scratch + <usize>(2 * task) * partBytes + c;
        scale += <f64>load<f32>(parts);
        shift += <f64>load<f32>(parts + partBytes);
      }
      store<f32>(outputOf(command, 1) + c, <f32>scale);
      store<f32>(outputOf(command, 2) + c, <f32>shift);
    }
  }
  barrier();
}

/** dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = scale dy; dScale += dy xhat, dShift += dy. */
function gradientRow(command: usize, row: i32, dScale: usize, dShift: usize): void {
  const channels = size(command, CHANNELS);
  const bytes = <usize>channels << 2;
  const dy = inputOf(command, 0) + <usize>row * bytes;
  const x = inputOf(command, 1) + <usize>row * bytes;
  const scale = inputOf(command, 2);
  const mean = v128.load32_splat(inputOf(command, 3) + (<usize>row << 2));
  const rstd = v128.load32_splat(inputOf(command, 4) + (<usize>row << 2));
  const dx = outputOf(command, 0) + <usize>row * bytes;

  let sum = f32x4.splat(0.0);
  let products = sum;
  for (let c: usize = 0; c < bytes; c += 16) {
    // Lanes past the row have dy = 0 and so add nothing, once xhat is a number there too.
    const lanes = <i32>((bytes - c) >> 2);
    const gradient = loadLanes(dy + c, lanes);
    const xhat = f32x4.mul(f32x4.sub(loadLanes(x + c, lanes), mean), rstd);
    const g = f32x4.mul(gradient, loadLanes(scale + c, lanes));
    sum = f32x4.add(sum, g);
    products = madd(g, xhat, products);
    v128.store(dScale + c, madd(gradient, xhat, v128.load(dScale + c)));
    v128.store(dShift + c, f32x4.add(v128.load(dShift + c), gradient));
  }
  const meanOfG = f32x4.splat(horizontalSum(sum) / <f32>channels);
  const meanOfProducts = f32x4.splat(horizontalSum(products) / <f32>channels);
  for (let c: usize = 0; c < bytes; c += 16) {
    const xhat = f32x4.mul(f32x4.sub(v128.load(x + c), mean), rstd);
    const g = f32x4.mul(v128.load(dy + c), v128.load(scale + c));
    const projected = madd(xhat, meanOfProducts, meanOfG);
    storeLanes(dx + c, f32x4.mul(f32x4.sub(g, projected), rstd), <i32>((bytes - c) >> 2));
  }
}
