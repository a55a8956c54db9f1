/** The workloads in TensorFlow.js, on whichever backend is set. */

import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { type Contender, type Inputs, input, type PreparedWorkload, Unsupported } from '../contender.js';
import { type HostTensor, permute } from '../host-tensor.js';
import { GROUP_NORM_EPSILON, type Workload } from '../workloads.js';
import { TfjsAdamW } from './tfjs-adamw.js';
import { prepareTrainingStep } from './tfjs-training-step.js';

export interface TfjsBackend {
  /** Resolves when everything that was asked for is computed. */
  finish(): Promise<void> | void;
  /** Whether it has Conv2DBackpropFilter. */
  readonly hasFilterGradient: boolean;
}

/** Must be called before the first workload is prepared. */
export function loadGradients(): void {
  // The entry leaves gradients out, and what adds them imports folders, which only require can resolve.
  createRequire(import.meta.url)('@tensorflow/tfjs-core/dist/register_all_gradients');
}

export function prepareTfjs(backend: TfjsBackend): Contender['prepare'] {
  return (workload, inputs) => {
    const needsFilterGradient =
      workload.kind === 'trainingStep' || (workload.kind === 'conv2d' && workload.gradients);
    if (needsFilterGradient && !backend.hasFilterGradient)
      throw new Unsupported(
        'the WebAssembly backend has no filter gradient of conv2d (Conv2DBackpropFilter)',
      );
    switch (workload.kind) {
      case 'trainingStep':
        return prepareTrainingStep(workload, inputs);
      case 'adamW':
        return prepareAdamW(inputs, backend);
      default:
        return prepareTensors(workload, inputs, backend);
    }
  };
}

type TensorWorkload = Exclude<Workload, { kind: 'adamW' | 'trainingStep' }>;
type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;

function prepareTensors(workload: TensorWorkload, inputs: Inputs, { finish }: TfjsBackend): PreparedWorkload {
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
      tf.dispose(tf.tidy(compute));
      return finish();
    },
    async outputs() {
      const results = tf.tidy(compute);
      const outputs = await Promise.all(results.map((result) => fromTfjsLayout(workload, result)));
      tf.dispose(results);
      return outputs;
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

async function fromTfjsLayout(workload: TensorWorkload, result: tf.Tensor): Promise<Float32Array> {
  const tensor = { shape: result.shape, data: await floats(result) };
  if (workload.kind === 'attention') return permute(tensor, [0, 2, 1, 3]).data;
  const isFilter = workload.kind === 'conv2d' && result.shape[0] === 3;
  return isFilter ? permute(tensor, [3, 0, 1, 2]).data : tensor.data;
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

function prepareAdamW(inputs: Inputs, { finish }: TfjsBackend): PreparedWorkload {
  const gradient = residentTensor(input(inputs, 'gradient'));
  const optimizer = new TfjsAdamW([residentTensor(input(inputs, 'weights'))]);
  return {
    run() {
      optimizer.step([gradient]);
      return finish();
    },
    async outputs() {
      optimizer.step([gradient]);
      return Promise.all(optimizer.weights.map(floats));
    },
    dispose() {
      optimizer.dispose();
      gradient.dispose();
    },
  };
}

function residentTensor({ data, shape }: HostTensor): tf.Tensor {
  return tf.tensor(data, [...shape], 'float32');
}

async function floats(tensor: tf.Tensor): Promise<Float32Array> {
  return Float32Array.from(await tensor.data());
}

function expected<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('An operand is missing.');
  return value;
}
