/** Softmax of each row: its largest element, the sum of exponentials relative to it, the quotients. */

import type { SoftmaxKernel } from '../kernel.js';
import { withFunctions } from './functions.js';
import { BLOCK } from './lane-sums.js';
import { linearGrid, type Program } from './program.js';
import type { AdapterClass, Target } from './target.js';
import { type Width, wgsl, wgslType } from './wgsl.js';
import { joinLanes } from './workgroup-join.js';

interface SoftmaxShape {
  readonly workgroup: number;
  /** Invocations that share a row, at most. */
  readonly lanes: number;
}

const shapes: Record<AdapterClass, SoftmaxShape> = {
  discrete: { workgroup: 256, lanes: 256 },
  apple: { workgroup: 256, lanes: 256 },
  integrated: { workgroup: 128, lanes: 128 },
  // An invocation is a lane of a CPU's vector, and shares nothing.
  software: { workgroup: 4, lanes: 1 },
};

/** Vectors of a row that are worth an invocation of their own. */
const LANE_STEPS = 2;

export function softmaxProgram({ rows, columns }: SoftmaxKernel, target: Target): Program {
  const width: Width = columns % 4 === 0 ? 4 : 1;
  const steps = columns / width;
  const settings = shapes[target.adapterClass];
  const workgroup = Math.min(settings.workgroup, target.invocations);
  let lanes = 1;
  while (lanes * 2 <= Math.min(settings.lanes, workgroup) && lanes * 2 * LANE_STEPS <= steps) lanes *= 2;
  const perGroup = workgroup / lanes;
  const groups = Math.ceil(rows / perGroup);
  const grid = linearGrid(groups, target);

  const type = wgslType('float32', width);
  const bits = wgslType('uint32', width);
  const suffix = width === 4 ? '_4' : '';
  const across = (variable: string, join: (a: string, b: string) => string) =>
    width === 1
      ? variable
      : join(join(`${variable}.x`, `${variable}.z`), join(`${variable}.y`, `${variable}.w`));
  // Lane 0 tells the others the joined value.
  const share = (value: string) =>
    lanes === 1
      ? ''
      : wgsl`
          if (lane == 0u) { shared_values[local] = ${value}; }
          workgroupBarrier();
          ${value} = shared_values[local - lane];
          workgroupBarrier();
        `;
  const join = (operator: string, value: string) =>
    joinLanes({ lanes, stride: 1, shared: 'shared_values', value, join: operator });

  return {
    scratch: [],
    dispatches: [
      {
        label: `softmax ${rows}x${columns}`,
        buffers: [
          { name: 'x', place: { input: 0 }, dtype: 'float32', width, access: 'read' },
          { name: 'y', place: { output: 0 }, dtype: 'float32', width, access: 'update' },
        ],
        workgroups: grid.workgroups,
        code: withFunctions(wgsl`
          const ROWS = ${rows}u;
          const STEPS = ${steps}u;
          const LANES = ${lanes}u;
          const BLOCK = ${BLOCK}u * LANES;
          ${lanes > 1 ? [`var<workgroup> shared_values: array<f32, ${workgroup}>;`] : []}

          fn add(a: f32, b: f32) -> f32 { return a + b; }

          @compute @workgroup_size(${workgroup})
          fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
            let lane = local % LANES;
            let row = ${grid.index} * ${perGroup}u + local / LANES;
            let begin = row * STEPS;
            let end = select(begin, begin + STEPS, row < ROWS);

            // A NaN shows in the largest magnitude of all bits, whatever max makes of it.
            var largest_of = ${type}(dmpo_float(0xff800000u));
            var magnitude = ${bits}();
            for (var i = begin + lane; i < end; i += LANES) {
              let value = load_x(i);
              largest_of = max(largest_of, value);
              magnitude = max(magnitude, bitcast<${bits}>(value) & ${bits}(0x7fffffffu));
            }
            largest_of = select(largest_of, bitcast<${type}>(magnitude), magnitude > ${bits}(0x7f800000u));
            var largest = ${across('largest_of', (a, b) => `dmpo_max(${a}, ${b})`)};
            ${join('dmpo_max', 'largest')}
            ${share('largest')}

            var sums = ${type}();
            for (var block = begin; block < end; block += BLOCK) {
              var partial = ${type}();
              for (var i = block + lane; i < min(block + BLOCK, end); i += LANES) {
                let value = dmpo_exp${suffix}(load_x(i) - largest);
                partial += value;
                store_y(i, value);
              }
              sums += partial;
            }
            var sum = ${across('sums', (a, b) => `(${a} + ${b})`)};
            ${join('add', 'sum')}
            ${share('sum')}

            for (var i = begin + lane; i < end; i += LANES) {
              store_y(i, load_y(i) / sum);
            }
          }
        `),
      },
    ],
  };
}
