/** TensorFlow.js on its WebAssembly backend. The variant "threads" gives it the threads that it does not take in Node by itself. */

import { createRequire } from 'node:module';
import { getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { type Contender, type Inputs, input, type PreparedWorkload, Unsupported } from '../contender.js';
import { type HostTensor, permute } from '../host-tensor.js';
import { packageVersion } from '../package-version.js';
import type { ContenderOptions } from '../serve.js';
import { ADAMW, GROUP_NORM_EPSILON, type Workload } from '../workloads.js';
import { unlockTfjsThreads } from './tfjs-threads.js';

export async function open({ threads, variant }: ContenderOptions): Promise<Contender> {
  if (variant === 'threads') {
    unlockTfjsThreads(threads);
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', true);
    setThreadsCount(threads);
  }
  // The entry leaves gradients out, and what adds them imports folders, which only require can resolve.
  createRequire(import.meta.url)('@tensorflow/tfjs-core/dist/register_all_gradients');
  if (!(await tf.setBackend('wasm'))) throw new Error('The WebAssembly backend did not start.');
  return {
    description: {
      library: `tfjs ${packageVersion('@tensorflow/tfjs-core')}`,
      details:
        variant === 'threads'
          ? 'WebAssembly backend with SIMD, its thread pool enabled by force'
          : 'WebAssembly backend with SIMD, as it starts in Node',
      threads: variant === 'threads' ? getThreadsCount() : 1,
    },
    prepare(workload, inputs) {
      switch (workload.kind) {
        case 'trainingStep':
          throw new Unsupported(missingFilterGradient);
        case 'adamW':
          return prepareAdamW(inputs);
        default:
          return prepareTensors(workload, inputs);
      }
    },
  };
}

const missingFilterGradient =
  'the WebAssembly backend has no filter gradient of conv2d (Conv2DBackpropFilter)';

type TensorWorkload = Exclude<Workload, { kind: 'adamW' | 'trainingStep' }>;
type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;

function prepareTensors(workload: TensorWorkload, inputs: Inputs): PreparedWorkload {
  if (workload.kind === 'conv2d' && workload.gradients) throw new Unsupported(missingFilterGradient);
  const { operation, names } = operationOf(workload);
  const resident = names.map((name) => residentTensor(toTfjsLayout(workload, name, inputs)));
  const dy = inputs.has('dy') ? residentTensor(toTfjsLayout(workload, 'dy', inputs)) : undefined;
  const differentiated = tf.valueAndGrads(operation);
  const compute = (): tf.Tensor[] => {
    if (!('gradients' in workload && workload.gradients)) return [operation(...resident)];
    const { value, grads } = differentiated(resident, dy);
    return [value, ...grads];
  };
  return {
    run() {
      tf.tidy(() => {
        compute();
      });
    },
    async outputs() {
      return tf.tidy(() => {
        return compute().map((result) => fromTfjsLayout(workload, result));
      });
    },
    dispose() {
      tf.dispose([...resident, ...(dy ? [dy] : [])]);
    },
  };
}

/** tfjs computes filters in HWIO, and attention as matrix products over [batch, heads], without transposing anything. */
function toTfjsLayout(workload: TensorWorkload, name: string, inputs: Inputs): HostTensor {
  if (name === 'filter') return permute(input(inputs, name), [1, 2, 3, 0]);
  if (workload.kind === 'attention') return permute(input(inputs, name), [0, 2, 1, 3]);
  return input(inputs, name);
}

function fromTfjsLayout(workload: TensorWorkload, result: tf.Tensor): Float32Array {
  const tensor = { shape: result.shape, data: floats(result) };
  return (workload.kind === 'attention' ? permute(tensor, [0, 2, 1, 3]) : tensor).data;
}

function operationOf(workload: TensorWorkload): { operation: Operation; names: string[] } {
  switch (workload.kind) {
    case 'matmul':
      return { operation: (a, b) => tf.matMul(expected(a), expected(b)), names: ['a', 'b'] };
    case 'conv2d':
      return {
        operation: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'),
        names: ['x', 'filter'],
      };
    case 'attention':
      return {
        operation: (q, k, v) => {
          const scores = tf.mul(tf.matMul(expected(q), expected(k), false, true), workload.headDim ** -0.5);
          return tf.matMul(tf.softmax(scores), expected(v));
        },
        names: ['q', 'k', 'v'],
      };
    case 'groupNorm': {
      const { batch, size, channels, groups } = workload;
      const grouped = [batch, size * size, groups, channels / groups];
      return {
        operation: (x, scale, shift) => {
          const { mean, variance } = tf.moments(tf.reshape(expected(x), grouped), [1, 3], true);
          const normal = tf.mul(
            tf.sub(tf.reshape(expected(x), grouped), mean),
            tf.rsqrt(tf.add(variance, GROUP_NORM_EPSILON)),
          );
          const y = tf.add(tf.mul(tf.reshape(normal, expected(x).shape), expected(scale)), expected(shift));
          return tf.mul(y, tf.sigmoid(y));
        },
        names: ['x', 'scale', 'shift'],
      };
    }
    default:
      return workload satisfies never;
  }
}

/** tfjs has Adam without decoupled weight decay, so the formula is written out. */
function prepareAdamW(inputs: Inputs): PreparedWorkload {
  const { learningRate, epsilon, weightDecay } = ADAMW;
  const [beta1, beta2] = ADAMW.betas;
  const gradient = residentTensor(input(inputs, 'gradient'));
  let weights = residentTensor(input(inputs, 'weights'));
  let mean = tf.zerosLike(weights);
  let square = tf.zerosLike(weights);
  let steps = 0;
  const step = () => {
    const before = [weights, mean, square];
    steps++;
    [weights, mean, square] = tf.tidy(() => {
      const newMean = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1));
      const newSquare = tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const root = tf.sqrt(tf.mul(newSquare, 1 / (1 - beta2 ** steps)));
      const change = tf.div(tf.mul(newMean, learningRate / (1 - beta1 ** steps)), tf.add(root, epsilon));
      return [tf.sub(tf.mul(weights, 1 - learningRate * weightDecay), change), newMean, newSquare];
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
    tf.dispose(before);
  };
  return {
    run: step,
    async outputs() {
      step();
      return [floats(weights)];
    },
    dispose() {
      tf.dispose([weights, mean, square, gradient]);
    },
  };
}

function residentTensor({ data, shape }: HostTensor): tf.Tensor {
  return tf.tensor(data, [...shape], 'float32');
}

function floats(tensor: tf.Tensor): Float32Array {
  return Float32Array.from(tensor.dataSync());
}

function expected<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('An operand is missing.');
  return value;
}
