/**
 * jax-js, every workload one jit-compiled function: on its WebAssembly backend, as it starts in Node, or as the variant "webgpu" on
 * that backend.
 */

import * as v8 from 'node:v8';
import {
  blockUntilReady,
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  lax,
  nn,
  numpy as np,
  vjp,
} from '@jax-js/jax';
import { type Contender, type Inputs, input, type PreparedWorkload, Unsupported } from '../contender.js';
import { channelsFirst, channelsLast, type HostTensor, permute } from '../host-tensor.js';
import { packageVersion } from '../package-version.js';
import type { ContenderOptions } from '../serve.js';
import { GROUP_NORM_EPSILON, type Workload } from '../workloads.js';
import { adamWFactors, adamWUpdate } from './jax-js-adamw.js';
import { prepareTrainingStep } from './jax-js-training-step.js';
import { installNavigatorGpu } from './node-navigator.js';

export async function open({ variant }: ContenderOptions): Promise<Contender> {
  const details = variant === 'webgpu' ? await startOnWebGpu() : await startOnWasm();
  return {
    description: { library: `jax-js ${packageVersion('@jax-js/jax')}`, details, threads: 1 },
    prepare(workload, inputs) {
      switch (workload.kind) {
        case 'trainingStep':
          if (variant !== 'webgpu')
            throw new Unsupported(
              'left out: at its speed of convolution one step would take half a minute or more',
            );
          return prepareTrainingStep(workload, inputs);
        case 'adamW':
          return prepareAdamW(inputs);
        default:
          return prepareArrays(workload, inputs);
      }
    },
  };
}

async function startOnWasm(): Promise<string> {
  // jax-js uses relaxed SIMD where the engine has it, and Node 20 has it behind this flag.
  if (process.versions.node.startsWith('20.')) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  await init('wasm');
  defaultDevice('wasm');
  return 'WebAssembly backend with relaxed SIMD, NCHW; its threads need the Worker of browsers';
}

async function startOnWebGpu(): Promise<string> {
  const adapter = await installNavigatorGpu();
  const started = await init('webgpu');
  if (!started.includes('webgpu')) throw new Error('The WebGPU backend did not start.');
  defaultDevice('webgpu');
  return `WebGPU backend on ${adapter}, NCHW`;
}

type ArrayWorkload = Exclude<Workload, { kind: 'adamW' | 'trainingStep' }>;
type Operation = (...inputs: JaxArray[]) => JaxArray;

function prepareArrays(workload: ArrayWorkload, inputs: Inputs): PreparedWorkload {
  const { operation, names } = operationOf(workload);
  const withGradients = 'gradients' in workload && workload.gradients;
  const resident = [...names, ...(withGradients ? ['dy'] : [])].map((name) =>
    residentArray(toJaxLayout(workload, input(inputs, name))),
  );
  const compiled = jit((...operands: JaxArray[]): JaxArray[] => {
    if (!withGradients) return [operation(...operands)];
    const [y, pullBack] = vjp(operation, operands.slice(0, -1));
    return [y, ...pullBack(operands.at(-1) as JaxArray)];
  });
  const compute = () => blockUntilReady(compiled(...resident.map((array) => array.ref)));
  return {
    async run() {
      for (const result of await compute()) result.dispose();
    },
    async outputs() {
      const results = await compute();
      return Promise.all(
        results.map(async (result) => {
          const { shape } = result;
          return fromJaxLayout(workload, { shape, data: await floats(result) }).data;
        }),
      );
    },
    dispose() {
      compiled.dispose();
      for (const array of resident) array.dispose();
    },
  };
}

/** jax-js convolves NCHW by OIHW, and multiplies matrices over leading axes. */
function toJaxLayout(workload: ArrayWorkload, tensor: HostTensor): HostTensor {
  return workload.kind === 'attention' ? permute(tensor, [0, 2, 1, 3]) : channelsFirst(tensor);
}

function fromJaxLayout(workload: ArrayWorkload, tensor: HostTensor): HostTensor {
  return workload.kind === 'attention' ? permute(tensor, [0, 2, 1, 3]) : channelsLast(tensor);
}

/** The function of one workload on arrays in jax-js's layouts. Operands are consumed, `ref` keeps one for another use. */
function operationOf(workload: ArrayWorkload): { operation: Operation; names: string[] } {
  switch (workload.kind) {
    case 'matmul':
      return { operation: ((a, b) => np.matmul(a, b)) as Binary, names: ['a', 'b'] };
    case 'conv2d':
      return {
        operation: ((x, filter) => lax.conv(x, filter, [1, 1], 'SAME')) as Binary,
        names: ['x', 'filter'],
      };
    case 'attention':
      return {
        // Written out, for nn.dotProductAttention needs a newer JavaScript than Node 20 has.
        operation: ((q, k, v) => {
          const scores = np.matmul(q, np.matrixTranspose(k)).mul(workload.headDim ** -0.5);
          return np.matmul(nn.softmax(scores, -1), v);
        }) as Ternary,
        names: ['q', 'k', 'v'],
      };
    case 'groupNorm': {
      const { batch, size, channels, groups } = workload;
      return {
        operation: ((x, scale, shift) => {
          const grouped = x.reshape([batch, groups, (channels / groups) * size * size]);
          const options = { keepdims: true };
          const centred = grouped.ref.sub(np.mean(grouped, 2, options));
          const variance = np.mean(np.square(centred.ref), 2, options);
          const normal = centred.div(np.sqrt(variance.add(GROUP_NORM_EPSILON)));
          const perChannel = [1, channels, 1, 1];
          const y = normal
            .reshape([batch, channels, size, size])
            .mul(scale.reshape(perChannel))
            .add(shift.reshape(perChannel));
          return nn.silu(y);
        }) as Ternary,
        names: ['x', 'scale', 'shift'],
      };
    }
    default:
      return workload satisfies never;
  }
}

type Binary = (a: JaxArray, b: JaxArray) => JaxArray;
type Ternary = (a: JaxArray, b: JaxArray, c: JaxArray) => JaxArray;

function prepareAdamW(inputs: Inputs): PreparedWorkload {
  const compiled = jit((...operands: JaxArray[]) => {
    const [weights, gradient, mean, square, stepSize, correction] = operands as Six<JaxArray>;
    return adamWUpdate({ weights, gradient, mean, square, stepSize, correction });
  });
  const gradient = residentArray(input(inputs, 'gradient'));
  let state = [
    residentArray(input(inputs, 'weights')),
    np.zerosLike(gradient.ref),
    np.zerosLike(gradient.ref),
  ];
  let steps = 0;
  const step = async () => {
    steps++;
    const [weights, mean, square] = state as [JaxArray, JaxArray, JaxArray];
    state = await blockUntilReady(compiled(weights, gradient.ref, mean, square, ...adamWFactors(steps)));
  };
  return {
    run: step,
    async outputs() {
      await step();
      return [await floats((state[0] as JaxArray).ref)];
    },
    dispose() {
      compiled.dispose();
      for (const array of [...state, gradient]) array.dispose();
    },
  };
}

type Six<T> = [T, T, T, T, T, T];

function residentArray({ data, shape }: HostTensor): JaxArray {
  return np.array(new Float32Array(data), { shape: [...shape] });
}

/** Reads an array and gives it up. */
async function floats(array: JaxArray): Promise<Float32Array> {
  return Float32Array.from(await array.data());
}
