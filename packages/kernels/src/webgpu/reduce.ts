/**
 * Reductions of the middle dimension of [outer, rows, inner]. Each result is the work of one invocation or of several that meet in
 * workgroup memory; where results are few, rows are cut into slices, whose partial results a second dispatch reduces in their order.
 */

import type { DType } from '../dtype.js';
import type { Expression } from '../expression.js';
import type { ReduceKernel } from '../kernel.js';
import { orderReduction, type ReduceOrder } from '../reduce-order.js';
import { contiguousStrides } from '../view.js';
import {
  expressionBuffers,
  expressionText,
  loadedInputs,
  loadsVectors,
  type Variable,
  vectorInputs,
} from './expression.js';
import { withFunctions } from './functions.js';
import { BLOCK } from './lane-sums.js';
import { type Dispatch, linearGrid, type Place, type Program } from './program.js';
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

/** Vectors that fill a cache line of most GPUs. */
const NEIGHBOURS = 8;

export function reduceProgram(kernel: ReduceKernel, target: Target): Program {
  const order = orderReduction(kernel);
  const { outer, rows, inner, expression } = order;
  const { dtype } = expression.instructions[expression.results[0]];
  const reduction: Reduction = {
    dtype,
    // The sum of truth values is their disjunction.
    maximises: kernel.reduction === 'max' || dtype === 'bool',
    divisor: kernel.reduction === 'mean' ? rows : undefined,
  };
  const { inputs, scalars } = kernel;
  const plan = planReduction(order, target);
  const { slices } = plan;
  if (slices === 1) {
    const pass: Pass = { order, plan, inputs, scalars, output: { output: 0 } };
    return { scratch: [], dispatches: [reduceDispatch(reduction, pass, target)] };
  }
  const partials = partialOrder(outer, slices, inner, dtype);
  const first: Pass = { order, plan, inputs, scalars, output: { scratch: 0 } };
  const second: Pass = {
    order: partials,
    plan: planReduction(partials, target, 1),
    inputs: [dtype],
    scalars: [],
    source: { scratch: 0 },
    output: { output: 0 },
  };
  return {
    scratch: [outer * slices * inner],
    dispatches: [
      reduceDispatch({ ...reduction, divisor: undefined }, first, target),
      reduceDispatch(reduction, second, target),
    ],
  };
}

interface Reduction {
  readonly dtype: DType;
  readonly maximises: boolean;
  /** What the total is divided by, if anything. */
  readonly divisor: number | undefined;
}

interface Pass {
  readonly order: ReduceOrder;
  readonly plan: Plan;
  readonly inputs: readonly DType[];
  readonly scalars: readonly DType[];
  /** Where the inputs lie, if not among the kernel's. */
  readonly source?: Place;
  readonly output: Place;
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
  const width: Width =
    vectorised % 4 === 0 &&
    loadsVectors(expression, loadedInputs(expression, expression.results), { shape, variables })
      ? 4
      : 1;
  const steps = isContiguous ? rows / width : rows;
  const results = isContiguous ? outer : (outer * inner) / width;

  const workgroup = Math.min(settings.workgroup, target.invocations);
  // Results side by side are read side by side: a workgroup shall have some of them.
  const mostLanes = Math.min(settings.lanes, isContiguous ? workgroup : workgroup / NEIGHBOURS);
  let lanes = 1;
  while (lanes * 2 <= mostLanes && lanes * 2 * settings.loads <= steps) lanes *= 2;
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

function reduceDispatch(reduction: Reduction, pass: Pass, target: Target): Dispatch {
  const { order, plan, inputs, source } = pass;
  const { shape, outer, rows, inner, expression } = order;
  const { width, isContiguous, variables, workgroup, lanes, slices, sliceRows } = plan;
  const { dtype } = reduction;
  const innerWidth = isContiguous ? 1 : width;
  const rowWidth = isContiguous ? width : 1;
  const results = (outer * inner) / innerWidth;
  const perGroup = workgroup / lanes;
  const grid = linearGrid(Math.ceil((results * slices) / perGroup), target);

  const loaded = loadedInputs(expression, expression.results);
  const vectors = width === 4 ? vectorInputs(expression, { shape, variables }) : new Set<number>();
  const walk = { shape, variables, width, vectors };
  const { lines, values } = expressionText(expression, expression.results, walk);
  const type = wgslType(dtype, width);
  const resultType = wgslType(dtype, innerWidth);
  const buffers = expressionBuffers(inputs, loaded, vectors).map((buffer) =>
    source === undefined ? buffer : { ...buffer, place: source },
  );
  return {
    label: `reduce ${outer}x${rows}x${inner}`,
    buffers: [...buffers, { name: 'y', place: pass.output, dtype, width: innerWidth, access: 'write' }],
    scalars: pass.scalars,
    workgroups: grid.workgroups,
    code: withFunctions(wgsl`
      const ROWS = ${rows}u;
      const INNER = ${inner / innerWidth}u;
      const RESULTS = ${results}u;
      const SLICES = ${slices}u;
      const SLICE_ROWS = ${sliceRows}u;
      const LANES = ${lanes}u;
      const PER_GROUP = ${perGroup}u;
      const STEP = ${lanes * rowWidth}u;
      const BLOCK = ${BLOCK}u * STEP;
      ${lanes > 1 ? `var<workgroup> shared_results: array<${resultType}, ${workgroup}>;` : ''}

      fn join(a: ${resultType}, b: ${resultType}) -> ${resultType} { return ${joinText(reduction, innerWidth, 'a', 'b')}; }

      fn load_row(outer: u32, row: u32, inner: u32) -> ${type} {
        ${lines}
        return ${values};
      }

      @compute @workgroup_size(${workgroup})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
        let lane = ${isContiguous ? 'local % LANES' : 'local / PER_GROUP'};
        let task = ${grid.index} * PER_GROUP + ${isContiguous ? 'local / LANES' : 'local % PER_GROUP'};
        let slice = task / RESULTS;
        let outer = task % RESULTS / INNER;
        let inner = task % INNER;
        let is_needed = slice < SLICES;
        let begin = slice * SLICE_ROWS;
        let end = select(begin, min(begin + SLICE_ROWS, ROWS), is_needed);
        let first = begin + lane * ${rowWidth}u;

        ${accumulation(reduction, width, `load_row(outer, row, inner * ${innerWidth}u)`, sliceRows <= BLOCK * lanes * rowWidth)}

        var result = ${isContiguous && width === 4 ? acrossText(reduction, 'total') : 'total'};
        ${joinLanes({ lanes, stride: isContiguous ? 1 : perGroup, shared: 'shared_results', value: 'result', join: 'join' })}
        if (is_needed && lane == 0u) {
          store_y((outer * SLICES + slice) * INNER + inner, ${quotientText(reduction, 'result', innerWidth)});
        }
      }
    `),
  };
}

/** Lines that leave in `total` what `value` gives for the rows from `first` to `end` in steps of STEP. */
function accumulation(
  { dtype, maximises }: Reduction,
  width: Width,
  value: string,
  isOneBlock: boolean,
): string {
  const type = wgslType(dtype, width);
  if (!maximises && isOneBlock) {
    return wgsl`
      var total = ${type}();
      for (var row = first; row < end; row += STEP) { total += ${value}; }
    `;
  }
  if (!maximises) {
    return wgsl`
      var total = ${type}();
      for (var block = first; block < end; block += BLOCK) {
        var partial = ${type}();
        for (var row = block; row < min(block + BLOCK, end); row += STEP) { partial += ${value}; }
        total += partial;
      }
    `;
  }
  if (dtype !== 'float32') {
    return wgsl`
      var total = ${type}(${dtype === 'int32' ? 'i32(-0x7fffffff - 1)' : '0u'});
      for (var row = first; row < end; row += STEP) { total = max(total, ${value}); }
    `;
  }
  // A NaN shows in the largest magnitude of all bits, whatever max makes of it.
  const bits = wgslType('uint32', width);
  return wgsl`
    var total = ${type}(dmpo_float(0xff800000u));
    var magnitude = ${bits}();
    for (var row = first; row < end; row += STEP) {
      let value = ${value};
      total = max(total, value);
      magnitude = max(magnitude, bitcast<${bits}>(value) & ${bits}(0x7fffffffu));
    }
    total = select(total, bitcast<${type}>(magnitude), magnitude > ${bits}(0x7f800000u));
  `;
}

/** Two partial results as one. */
function joinText({ dtype, maximises }: Reduction, width: Width, a: string, b: string): string {
  if (!maximises) return `${a} + ${b}`;
  if (dtype !== 'float32') return `max(${a}, ${b})`;
  return `dmpo_max${width === 4 ? '_4' : ''}(${a}, ${b})`;
}

/** The four elements of a vector as one result. */
function acrossText(reduction: Reduction, total: string): string {
  const pair = (a: string, b: string) => `(${joinText(reduction, 1, `${total}.${a}`, `${total}.${b}`)})`;
  return joinText(reduction, 1, pair('x', 'z'), pair('y', 'w'));
}

/** The total, or the mean, which of nothing is NaN. */
function quotientText({ divisor }: Reduction, total: string, width: Width): string {
  if (divisor === undefined) return total;
  return divisor > 0 ? `${total} / ${divisor}.0` : `${wgslType('float32', width)}(dmpo_float(0x7fc00000u))`;
}
