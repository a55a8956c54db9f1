/**
 * Reductions of the middle dimension of [outer, rows, inner]. Each result is the work of one invocation or of several that meet in
 * workgroup memory; where results are few, rows are cut into slices, whose partial results a second dispatch reduces in their order.
 */

import type { DType } from '../dtype.js';
import type { Expression } from '../expression.js';
import type { ReduceKernel } from '../kernel.js';
import { orderReduction, type ReduceOrder } from '../reduce-order.js';
import { contiguousStrides } from '../view.js';
import { expressionBuffers } from './epilogue.js';
import { expressionText, loadsVectors, type Variable, vectorInputs } from './expression.js';
import { withFunctions } from './functions.js';
import { type BufferUse, type Dispatch, linearGrid, type Place, type Program } from './program.js';
import type { AdapterClass, Target } from './target.js';
import { type Width, wgsl, wgslType } from './wgsl.js';
import { joinLanes } from './workgroup-join.js';

interface ReduceShape {
  readonly workgroup: number;
  /** Invocations that share a result, at most. */
  readonly lanes: number;
  /** Slices are cut until so many invocations have work... */
  readonly invocations: number;
  /** ...of no fewer loads than this. */
  readonly loads: number;
}

const gpuShape: ReduceShape = { workgroup: 256, lanes: 256, invocations: 65536, loads: 16 };
const shapes: Record<AdapterClass, ReduceShape> = {
  discrete: gpuShape,
  apple: { ...gpuShape, invocations: 16384 },
  integrated: { ...gpuShape, workgroup: 128, lanes: 128, invocations: 8192 },
  // An invocation is a lane of a CPU's vector: it shares nothing, and a few for each core are enough.
  software: { workgroup: 16, lanes: 1, invocations: 64, loads: 256 },
};

/** Sums are made of sums of this many terms, so that rounding errors grow with the number of blocks and not of terms. */
const BLOCK = 32;

export function reduceProgram(kernel: ReduceKernel, target: Target): Program {
  const order = orderReduction(kernel);
  const { outer, rows, inner, expression } = order;
  const { dtype } = expression.instructions[expression.results[0]];
  // The sum of truth values is their disjunction.
  const maximises = kernel.reduction === 'max' || dtype === 'bool';
  const divisor = kernel.reduction === 'mean' ? rows : undefined;
  const plan = planReduction(order, target);
  const whole: Pass = { order, plan, inputs: kernel.inputs, scalars: kernel.scalars, dtype, maximises };
  if (plan.slices === 1) {
    return {
      scratch: [],
      dispatches: [reduceDispatch({ ...whole, divisor, output: { output: 0 } }, target)],
    };
  }
  const partials = partialOrder(outer, plan.slices, inner, dtype);
  const final: Pass = {
    order: partials,
    plan: planReduction(partials, target, 1),
    inputs: [dtype],
    source: { scratch: 0 },
    scalars: [],
    dtype,
    maximises,
    divisor,
  };
  return {
    scratch: [outer * plan.slices * inner],
    dispatches: [
      reduceDispatch({ ...whole, output: { scratch: 0 } }, target),
      reduceDispatch({ ...final, output: { output: 0 } }, target),
    ],
  };
}

interface Plan {
  /** 4: an invocation holds four results side by side, or, of a row that is contiguous, four partial results. */
  readonly width: Width;
  readonly isContiguous: boolean;
  readonly variables: readonly Variable[];
  readonly workgroup: number;
  readonly lanes: number;
  readonly slices: number;
  readonly sliceRows: number;
}

interface Pass {
  readonly order: ReduceOrder;
  readonly plan: Plan;
  readonly inputs: readonly DType[];
  readonly scalars: readonly DType[];
  /** Where input 0 lies, if not among the kernel's inputs. */
  readonly source?: Place;
  readonly output?: Place;
  readonly dtype: DType;
  readonly maximises: boolean;
  /** What the total is divided by. */
  readonly divisor?: number;
}

function planReduction(order: ReduceOrder, target: Target, mostSlices = Number.POSITIVE_INFINITY): Plan {
  const { shape, outer, rows, inner, expression, dimensions } = order;
  const settings = shapes[target.adapterClass];
  const [outerDimensions, rowDimensions, innerDimensions] = dimensions;
  // With one result per outer index, neighbours in memory, if any, are neighbours in the row.
  const isContiguous = inner === 1;
  const variables: Variable[] = isContiguous
    ? [
        { name: 'outer', dimensions: outerDimensions },
        { name: 'row', dimensions: rowDimensions + innerDimensions },
      ]
    : [
        { name: 'outer', dimensions: outerDimensions },
        { name: 'row', dimensions: rowDimensions },
        { name: 'inner', dimensions: innerDimensions },
      ];
  const vectorised = isContiguous ? rows : inner;
  const width: Width = vectorised % 4 === 0 && loadsVectors(expression, { shape, variables }) ? 4 : 1;
  const steps = isContiguous ? rows / width : rows;
  const results = isContiguous ? outer : (outer * inner) / width;

  const workgroup = Math.min(settings.workgroup, target.invocations);
  let lanes = 1;
  while (lanes * 2 <= Math.min(settings.lanes, workgroup) && lanes * 2 * settings.loads <= steps) lanes *= 2;
  const wanted = Math.min(
    Math.floor(settings.invocations / (results * lanes)),
    Math.floor(steps / (lanes * settings.loads)),
    mostSlices,
  );
  const sliceSteps = Math.ceil(steps / Math.max(1, wanted));
  const slices = Math.max(1, Math.ceil(steps / Math.max(1, sliceSteps)));
  const sliceRows = sliceSteps * (isContiguous ? width : 1);
  return { width, isContiguous, variables, workgroup, lanes, slices, sliceRows };
}

/** Partial results [outer, slices, inner], to be reduced over the slices. */
function partialOrder(outer: number, slices: number, inner: number, dtype: DType): ReduceOrder {
  const shape = [outer, slices, inner];
  const view = { offset: 0, strides: contiguousStrides(shape) };
  const expression: Expression = { instructions: [{ op: 'load', dtype, input: 0, view }], results: [0] };
  return { shape, expression, dimensions: [1, 1, 1], outer, rows: slices, inner };
}

function reduceDispatch(pass: Pass, target: Target): Dispatch {
  const { order, plan, inputs, source, dtype, maximises, divisor } = pass;
  const { shape, outer, rows, inner, expression } = order;
  const { width, isContiguous, variables, workgroup, lanes, slices, sliceRows } = plan;
  const innerWidth = isContiguous ? 1 : width;
  const rowWidth = isContiguous ? width : 1;
  const results = (outer * inner) / innerWidth;
  const perGroup = workgroup / lanes;
  const tiles = Math.ceil(results / perGroup);
  const grid = linearGrid(tiles * slices, target);
  const vectors = width === 4 ? vectorInputs(expression, { shape, variables }) : new Set<number>();
  const { lines, values } = expressionText(expression, expression.results, {
    shape,
    variables,
    width,
    vectors,
  });
  const type = wgslType(dtype, width);
  const isFloat = dtype === 'float32';
  const lowest = isFloat ? 'dmpo_float(0xff800000u)' : dtype === 'int32' ? 'i32(-0x7fffffff - 1)' : '0u';
  const start = maximises ? `${type}(${lowest})` : `${type}()`;
  const join = joinOf(maximises, isFloat);

  // A maximum of floats sees a NaN by the largest magnitude of all bits.
  const tracksNaN = maximises && isFloat;
  const bits = wgslType('uint32', width);
  const accumulate = maximises ? 'partial = max(partial, value);' : 'partial += value;';
  const across = ['x', 'y', 'z', 'w'].map((lane) => `total.${lane}`);
  const own =
    isContiguous && width === 4 ? join(join(across[0], across[2]), join(across[1], across[3])) : 'total';
  const resultType = wgslType(dtype, innerWidth);
  const quotient = divisor === undefined ? 'result' : meanText('result', divisor, innerWidth);

  const output: BufferUse = {
    name: 'y',
    place: pass.output ?? { output: 0 },
    dtype,
    width: innerWidth,
    access: 'write',
  };
  const buffers = expressionBuffers(inputs, expression, vectors).map((buffer) =>
    source === undefined ? buffer : { ...buffer, place: source },
  );
  return {
    label: `reduce ${outer}x${rows}x${inner}`,
    buffers: [...buffers, output],
    scalars: pass.scalars,
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      const ROWS = ${rows}u;
      const INNER = ${inner / innerWidth}u;
      const RESULTS = ${results}u;
      const TILES = ${tiles}u;
      const SLICES = ${slices}u;
      const SLICE_ROWS = ${sliceRows}u;
      const LANES = ${lanes}u;
      const STEP = ${lanes * rowWidth}u;
      const BLOCK = ${BLOCK}u * STEP;
      ${lanes > 1 ? [`var<workgroup> shared_results: array<${resultType}, ${workgroup}>;`] : []}

      fn join(a: ${resultType}, b: ${resultType}) -> ${resultType} { return ${joinOf(maximises, isFloat, innerWidth)('a', 'b')}; }

      fn load_row(outer: u32, row: u32, inner: u32) -> ${type} {
        ${lines}
        return ${values};
      }

      @compute @workgroup_size(${workgroup})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let tile = ${grid.index} % TILES;
        let slice = ${grid.index} / TILES;
        let lane = ${isContiguous ? 'local % LANES' : `local / ${perGroup}u`};
        let position = tile * ${perGroup}u + ${isContiguous ? 'local / LANES' : `local % ${perGroup}u`};
        let outer = position / INNER;
        let inner = position % INNER;
        let is_needed = position < RESULTS && slice < SLICES;
        let begin = slice * SLICE_ROWS;
        let end = select(begin, min(begin + SLICE_ROWS, ROWS), is_needed);

        var total = ${start};
        ${tracksNaN ? [`var magnitude = ${bits}();`] : []}
        for (var block = begin; block < end; block += BLOCK) {
          var partial = ${start};
          for (var row = block + lane * ${rowWidth}u; row < min(block + BLOCK, end); row += STEP) {
            let value = load_row(outer, row, inner * ${innerWidth}u);
            ${accumulate}
            ${tracksNaN ? [`magnitude = max(magnitude, bitcast<${bits}>(value) & ${bits}(0x7fffffff));`] : []}
          }
          total = ${maximises ? 'max(total, partial)' : 'total + partial'};
        }
        ${tracksNaN ? [`total = select(total, bitcast<${type}>(magnitude), magnitude > ${bits}(0x7f800000));`] : []}

        var result = ${own};
        ${joinLanes({ lanes, stride: isContiguous ? 1 : perGroup, shared: 'shared_results', value: 'result', join: 'join' })}
        if (is_needed && lane == 0u) {
          store_y((outer * SLICES + slice) * INNER + inner, ${quotient});
        }
      }
    `),
  };
}

/** How two partial results become one. */
function joinOf(maximises: boolean, isFloat: boolean, width: Width = 1): (a: string, b: string) => string {
  if (!maximises) return (a, b) => `${a} + ${b}`;
  const name = isFloat ? `dmpo_max${width === 4 ? '_4' : ''}` : 'max';
  return (a, b) => `${name}(${a}, ${b})`;
}

/** The mean of nothing is NaN. */
function meanText(total: string, divisor: number, width: Width): string {
  if (divisor > 0) return `${total} / ${divisor}.0`;
  return `${wgslType('float32', width)}(dmpo_float(0x7fc00000u))`;
}
