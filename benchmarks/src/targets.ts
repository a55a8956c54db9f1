/** How fast our devices mean to be beside others: ratios of medians, above one where ours is faster. */

import type { Measurement } from './measure.js';

export interface Target {
  readonly workload: string;
  /** The contender that is ours. */
  readonly device: 'cpu' | 'webgpu';
  /** Contenders of one library; the fastest of them counts. */
  readonly peers: readonly string[];
  readonly library: string;
  readonly atLeast: number;
}

export interface TargetResult extends Target {
  readonly ratio: number;
}

const cpu = { device: 'cpu' } as const;
const pytorch = { ...cpu, peers: ['pytorch', 'pytorch-channels-last'], library: 'PyTorch' };
const tfjs = { ...cpu, peers: ['tfjs'], library: 'tfjs wasm' };
const tfjsThreads = {
  ...cpu,
  peers: ['tfjs-threads'],
  library: 'tfjs wasm with its threads enabled by force',
};
const jaxJs = { ...cpu, peers: ['jax-js'], library: 'jax-js wasm' };
const webgpu = {
  device: 'webgpu',
  peers: ['tfjs-webgpu', 'jax-js-webgpu'],
  library: 'the faster of tfjs webgpu and jax-js webgpu',
} as const;

const targets: readonly Target[] = [
  { workload: 'matmul', ...tfjs, atLeast: 1.5 },
  { workload: 'matmul', ...tfjsThreads, atLeast: 1.5 },
  { workload: 'conv2d', ...tfjs, atLeast: 1.5 },
  { workload: 'conv2d', ...tfjsThreads, atLeast: 1.5 },
  { workload: 'conv2d-gradients', ...jaxJs, atLeast: 20 },
  { workload: 'conv2d-gradients', ...pytorch, atLeast: 0.35 },
  { workload: 'training-step', ...pytorch, atLeast: 0.5 },
  { workload: 'webgpu-matmul', ...webgpu, atLeast: 2 },
  { workload: 'webgpu-conv2d', ...webgpu, atLeast: 2 },
  { workload: 'webgpu-conv2d-gradients', ...webgpu, atLeast: 2 },
  { workload: 'webgpu-training-step', ...webgpu, atLeast: 3 },
];

/** The targets for which both sides were measured. */
export function targetResults(measurements: readonly Measurement[]): TargetResult[] {
  const medians = (workload: string, contenders: readonly string[]) =>
    measurements
      .filter((m) => m.workload === workload && contenders.includes(m.contender))
      .map((m) => m.median);
  return targets.flatMap((target) => {
    const [ours] = medians(target.workload, [target.device]);
    const theirs = medians(target.workload, target.peers);
    if (ours === undefined || theirs.length === 0) return [];
    return [{ ...target, ratio: Math.min(...theirs) / ours }];
  });
}
