// Every tile and split of a GEMM, forced one after another, on the adapter at hand.
import { describe, expect, it } from 'vitest';
import type { Kernel, MatmulKernel } from '../../kernel.js';
import { expectMatchesReference } from '../../testing/compare.js';
import { type EpilogueName, epilogueCase } from '../../testing/epilogues.js';
import { normals } from '../../testing/random-data.js';
import { epilogueCode } from '../epilogue.js';
import { nodeGpu } from '../host/gpu.node.js';
import { matmulProgram } from '../matmul.js';
import { openWebGpuDevice } from '../open-webgpu.js';
import type { Place, Program } from '../program.js';
import { type AdapterClass, defaultLimits, type Target } from '../target.js';
import { type GemmOptions, shapeClass, tileCandidates } from './choose.js';
import { type DenseMatrix, denseOperand } from './dense.js';
import { type Gemm, gemmProgram } from './gemm.js';
import { dotTiles, LANES, registerTiles, type Tile, workgroupTiles } from './tiles.js';

const classes: readonly AdapterClass[] = ['software', 'discrete', 'apple', 'integrated'];

describe.each(workgroupTiles)('workgroup tile $name', (tile) => {
  it('is right around its edges', async () => {
    await checkEdges('discrete', tile, tile.rows, tile.columns, tile.depth);
  });
});

describe.each(registerTiles)('register tile $name', (tile) => {
  it('is right around its edges', async () => {
    const rows = tile.rows * (tile.shared === 'b' ? LANES : 1);
    const columns = tile.columns * (tile.shared === 'a' ? LANES : 1);
    await checkEdges('software', tile, rows, columns, 4);
  });
});

describe.each(dotTiles)('tile $name', (tile) => {
  it.each([1, 2, 7, 8])('is right for %i rows', async (m) => {
    await withWriter(
      'discrete',
      (kernel, target) => {
        const program = matmulProgram(kernel, target, { tile: tile.name, splits: m });
        expect(program.dispatches[0].label).toContain(tile.name);
        return program;
      },
      async (check) => {
        await check({ m, n: 23, k: 2 * tile.depth + 4, transposeB: true, epilogue: 'residual' });
        await check({ m, n: 12, k: 8, batch: 3, transposeB: true, batchedA: false });
      },
    );
  });
});

describe.each([
  ['software', '4x4'],
  ['software', '8x4 b shared'],
  ['discrete', '32x32x16/4x4'],
] as const)('a split sum on a %s adapter in tiles of %s', (adapterClass, tile) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is right and the same every time with %i parts', async (splits) => {
    for (const [m, n, k] of [
      [10, 12, 150],
      [9, 7, 131],
    ]) {
      await withWriter(
        adapterClass,
        (kernel, target) => {
          const program = matmulProgram(kernel, target, { tile, splits });
          expect(program.dispatches[0].label).toContain(tile);
          expect(program.dispatches.length).toBe(splits === 1 ? 1 : 2);
          return program;
        },
        (check) => check({ m, n, k, batch: 2, transposeB: true, epilogue: 'bias silu' }),
      );
    }
  });

  it.each([
    [1, 3, 8],
    [2, 5, 7],
    [3, 3, 20],
    [5, 12, 1],
    [8, 9, 6],
  ])('is right in %i parts of %i outer times %i inner steps', async (splits, outer, inner) => {
    await withWriter(
      adapterClass,
      (kernel, target) => gemmProgram([withOuterSteps(kernel, outer, inner)], target, { tile, splits }),
      (check) => check({ m: 18, n: 12, k: outer * inner, transposeB: true }),
    );
  });
});

describe.each(['software', 'discrete'] as const)('a product on a %s adapter', (adapterClass) => {
  it.each([
    [1, 640, 160],
    [8, 64, 640],
    [3, 129, 64],
    [300, 4, 36],
    [129, 1, 70],
  ])('is right for %i x %i x %i, which has few rows or columns', async (m, n, k) => {
    for (const transposeB of [false, true]) {
      await withWriter(adapterClass, matmulProgram, (check) =>
        check({ m, n, k, transposeB, epilogue: 'bias' }),
      );
    }
  });
});

describe.each(['software', 'discrete'] as const)('a part of longer rows on a %s adapter', (adapterClass) => {
  it.each([
    [13, 16],
    [12, 15],
    [8, 12],
  ])('is summed over the first %i of %i', async (used, length) => {
    await withWriter(
      adapterClass,
      (kernel, target) => gemmProgram([gemmOf(kernel, used)], target),
      (check) => check({ m: 9, n: 12, k: length, used, transposeB: true }),
    );
  });
});

describe.each(classes)('the choice for %s adapters', (adapterClass) => {
  const target: Target = { adapterClass, ...defaultLimits };

  it('splits long sums of small results, and no others', () => {
    const dispatches = (m: number, n: number, k: number) =>
      matmulProgram(kernelOf({ m, n, k }), target).dispatches.length;
    expect(dispatches(16, 16, 16384)).toBe(2);
    expect(dispatches(4096, 640, 640)).toBe(1);
    expect(dispatches(64, 64, 64)).toBe(1);
  });

  it('has at most eight candidates, its own first', () => {
    const gemm = gemmOf(kernelOf({ m: 256, n: 256, k: 256 }));
    const candidates = tileCandidates(gemm, target);
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.length).toBeLessThanOrEqual(8);
    expect(gemmProgram([gemm], target).dispatches[0].label).toContain(candidates[0]);
  });

  it('gives way to a tile that was measured to be better', () => {
    const gemm = gemmOf(kernelOf({ m: 256, n: 256, k: 256 }));
    const last = tileCandidates(gemm, target).at(-1) ?? '';
    const tuned = { ...target, tuned: new Map([[shapeClass(gemm), last]]) };
    expect(gemmProgram([gemm], tuned).dispatches[0].label).toContain(last);
    const stale = { ...target, tuned: new Map([[shapeClass(gemm), '3x3']]) };
    expect(gemmProgram([gemm], stale).dispatches[0].code).toBe(
      gemmProgram([gemm], target).dispatches[0].code,
    );
  });
});

describe('a software adapter', () => {
  it('takes the program that compiles fastest for small products', () => {
    const target: Target = { adapterClass: 'software', ...defaultLimits };
    const labelOf = (m: number) => matmulProgram(kernelOf({ m, n: 64, k: 64 }), target).dispatches[0].label;
    expect(labelOf(64)).toContain('4x4');
    expect(labelOf(128)).not.toContain('4x4');
  });
});

describe('options', () => {
  it('refuse a tile that does not exist, by name', () => {
    const target: Target = { adapterClass: 'software', ...defaultLimits };
    expect(() => matmulProgram(kernelOf({ m: 4, n: 4, k: 4 }), target, { tile: '3x3' })).toThrow(/'3x3'/);
  });
});

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** From here on the columns of a are zero. */
  readonly used?: number;
  readonly batch?: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly batchedA?: boolean;
  readonly epilogue?: EpilogueName;
}

/** Sizes one less, equal to and one more than the tile's, with and without vectors, in all layouts. */
async function checkEdges(
  adapterClass: AdapterClass,
  tile: Tile,
  rows: number,
  columns: number,
  depth: number,
): Promise<void> {
  const options: GemmOptions = { tile: tile.name, splits: 1 };
  await withWriter(
    adapterClass,
    (kernel, target) => matmulProgram(kernel, target, options),
    async (check) => {
      await check({ m: rows - 1, n: columns, k: depth + 4, transposeB: true, epilogue: 'residual' });
      await check({ m: rows, n: columns + 1, k: depth - 1, transposeA: true, batch: 2, batchedA: false });
      await check({ m: rows + 1, n: columns - 1, k: depth, epilogue: 'scalar' });
      await check({ m: rows, n: columns, k: 8, transposeA: true, transposeB: true });
    },
  );
}

/** Runs matrix products by programs of this writer and compares them with the reference. */
async function withWriter(
  adapterClass: AdapterClass,
  write: (kernel: MatmulKernel, target: Target) => Program,
  run: (check: (one: Case) => Promise<void>) => Promise<void>,
): Promise<void> {
  const programs = (kernel: Kernel, target: Target) => {
    if (kernel.kind !== 'matmul') throw new Error(`These tests run no ${kernel.kind}.`);
    return write(kernel, target);
  };
  const device = await openWebGpuDevice(nodeGpu, { adapterClass, poison: true }, { programs });
  try {
    await run(async (one) => {
      const { epilogue = 'none', batch = 1, m, n, k, used = k } = one;
      const extra = epilogueCase(epilogue, [batch, m, n], 1);
      const kernel = { ...kernelOf(one), ...extra.kernel };
      const full = normals(2, (kernel.batchedA ? batch : 1) * m * k);
      const a = full.map((value, i) => (i % k < used ? value : 0));
      const inputs = [a, normals(3, batch * k * n), ...extra.inputs];
      await expectMatchesReference(device, kernel, inputs, extra.scalars);
    });
  } finally {
    await device.close();
  }
}

function kernelOf({ m, n, k, batch = 1, ...rest }: Case): MatmulKernel {
  const { transposeA = false, transposeB = false, batchedA = true } = rest;
  const layout = { transposeA, transposeB, batchedA, batchedB: true };
  return { kind: 'matmul', inputs: ['float32', 'float32'], scalars: [], batch, m, n, k, ...layout };
}

/** A product of operands that are both contiguous along k, over the first `inner` elements of their rows. */
function gemmOf(kernel: MatmulKernel, inner = kernel.k): Gemm {
  const { batch, m, n, k } = kernel;
  const matrix = (rows: number): DenseMatrix => ({
    rows,
    inner,
    rowStride: k,
    innerStride: 1,
    batchStride: rows * k,
  });
  return {
    label: 'product',
    batch,
    rows: m,
    columns: n,
    outer: 1,
    inner,
    a: denseOperand('a', { input: 0 }, matrix(m)),
    b: denseOperand('b', { input: 1 }, matrix(n)),
    epilogue: epilogueCode(kernel),
    output: { output: 0 },
  };
}

/** The same product with k cut into outer and inner steps, as convolutions do. */
function withOuterSteps(kernel: MatmulKernel, outer: number, inner: number): Gemm {
  const whole = gemmOf(kernel);
  const stepped = (name: string, place: Place, rows: number) => {
    const strides = { rowStride: kernel.k, innerStride: 1, batchStride: rows * kernel.k };
    const operand = denseOperand(name, place, { rows, inner, ...strides });
    const code = operand.code.replace('return state;', `return state + outer * ${inner / operand.width}u;`);
    expect(code).not.toBe(operand.code);
    return { ...operand, code };
  };
  return {
    ...whole,
    outer,
    inner,
    a: stepped('a', { input: 0 }, kernel.m),
    b: stepped('b', { input: 1 }, kernel.n),
  };
}
