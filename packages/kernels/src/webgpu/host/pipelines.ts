/** Compute pipelines by the source of their shader: kernels that come to the same WGSL share one. */

import { DmpoError } from '../../errors.js';
import { type Dispatch, moduleSource, type ScalarStorage, scalarStorage } from '../program.js';
import type { FailureMonitor } from './failure.js';
import { COMPUTE_STAGE } from './flags.js';

/** Identity of a bind group's layout, for caches. */
export interface BufferLayout {
  readonly id: number;
  readonly gpu: GPUBindGroupLayout;
}

export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  /** Of group 0, the dispatch's buffers. */
  readonly layout: BufferLayout;
  readonly scalars: ScalarStorage | undefined;
}

export class Pipelines {
  readonly #gpu: GPUDevice;
  readonly #monitor: FailureMonitor;
  readonly #hasImmediates: boolean;
  readonly #ready = new Map<string, Pipeline>();
  readonly #compiling = new Map<string, Promise<Pipeline>>();
  readonly #bufferLayouts = new Map<string, BufferLayout>();
  readonly #pipelineLayouts = new Map<string, GPUPipelineLayout>();
  /** The layout of group 1, where scalars are if they are in a uniform buffer. */
  readonly scalarLayout: GPUBindGroupLayout;

  constructor(gpu: GPUDevice, monitor: FailureMonitor, hasImmediates: boolean) {
    this.#gpu = gpu;
    this.#monitor = monitor;
    this.#hasImmediates = hasImmediates;
    this.scalarLayout = gpu.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: COMPUTE_STAGE, buffer: { type: 'uniform', hasDynamicOffset: true } },
      ],
    });
  }

  /** Pipelines compiled so far. */
  get count(): number {
    return this.#ready.size;
  }

  /** Compiles the pipeline of a dispatch beside others. Rejects with `INVALID_SHADER`, which does the device no harm. */
  prepare(dispatch: Dispatch, kernel: string): Promise<Pipeline> {
    const source = this.source(dispatch);
    const known = this.#ready.get(source) ?? this.#compiling.get(source);
    if (known !== undefined) return Promise.resolve(known);
    const compiling = this.#compile(dispatch, kernel, source);
    this.#compiling.set(source, compiling);
    return compiling;
  }

  /** The whole module of a dispatch. */
  source(dispatch: Dispatch): string {
    const float16 = this.#gpu.features.has('shader-f16') ? 'f16' : 'pairs';
    return moduleSource(dispatch, this.#hasImmediates, float16);
  }

  async #compile(dispatch: Dispatch, kernel: string, source: string): Promise<Pipeline> {
    // An invalid module makes an invalid pipeline, which is told below; nobody else need hear of it.
    this.#gpu.pushErrorScope('validation');
    const module = this.#gpu.createShaderModule({ label: dispatch.label, code: source });
    const { descriptor, ...rest } = this.#describe(dispatch, module);
    const compiling = this.#gpu.createComputePipelineAsync(descriptor);
    const scope = this.#gpu.popErrorScope();
    try {
      const [gpu] = await Promise.all([compiling, scope.catch(() => null)]);
      const pipeline = { gpu, ...rest };
      this.#ready.set(source, pipeline);
      return pipeline;
    } catch (cause) {
      this.#monitor.check();
      throw await shaderError(kernel, dispatch, source, module, String(cause));
    } finally {
      this.#compiling.delete(source);
    }
  }

  #describe(dispatch: Dispatch, module: GPUShaderModule) {
    const scalars = scalarStorage(dispatch, this.#hasImmediates);
    const layout = this.#bufferLayout(dispatch);
    const immediateSize = scalars === 'immediate' ? 4 * (dispatch.scalars?.length ?? 0) : 0;
    const descriptor: GPUComputePipelineDescriptor = {
      label: dispatch.label,
      layout: this.#pipelineLayout(layout, scalars, immediateSize),
      compute: { module, entryPoint: 'main' },
    };
    return { descriptor, layout, scalars };
  }

  #bufferLayout({ buffers }: Dispatch): BufferLayout {
    const key = buffers.map(({ access }) => (access === 'read' ? 'r' : 'w')).join('');
    let layout = this.#bufferLayouts.get(key);
    if (layout === undefined) {
      const entries = buffers.map(
        ({ access }, binding): GPUBindGroupLayoutEntry => ({
          binding,
          visibility: COMPUTE_STAGE,
          buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
        }),
      );
      layout = { id: this.#bufferLayouts.size, gpu: this.#gpu.createBindGroupLayout({ entries }) };
      this.#bufferLayouts.set(key, layout);
    }
    return layout;
  }

  #pipelineLayout(
    buffers: BufferLayout,
    scalars: ScalarStorage | undefined,
    immediateSize: number,
  ): GPUPipelineLayout {
    const key = `${buffers.id} ${scalars === 'uniform'} ${immediateSize}`;
    let layout = this.#pipelineLayouts.get(key);
    if (layout === undefined) {
      const bindGroupLayouts = scalars === 'uniform' ? [buffers.gpu, this.scalarLayout] : [buffers.gpu];
      // Left out where it is 0: implementations without immediates do not know the member.
      const immediates = immediateSize > 0 ? { immediateSize } : {};
      layout = this.#gpu.createPipelineLayout({ bindGroupLayouts, ...immediates });
      this.#pipelineLayouts.set(key, layout);
    }
    return layout;
  }
}

/** Names the kernel and shows the line of WGSL. */
async function shaderError(
  kernel: string,
  dispatch: Dispatch,
  source: string,
  module: GPUShaderModule | undefined,
  message: string,
): Promise<DmpoError> {
  const messages = (await module?.getCompilationInfo().catch(() => undefined))?.messages ?? [];
  const lines = source.split('\n');
  const errors = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, linePos, message: text }) => {
      const caret = `${' '.repeat(Math.max(linePos - 1, 0))}^`;
      return `line ${lineNum}: ${text}\n    ${lines[lineNum - 1] ?? ''}\n    ${caret}`;
    });
  return new DmpoError(
    'INVALID_SHADER',
    `The GPU refuses the shader '${dispatch.label}' of the kernel ${kernel}: ${errors.length > 0 ? errors.join('\n') : message.trim()}\n`,
    'This is a defect of the library or of the GPU driver: please report it with this message and what `dmpo doctor` prints.',
  );
}
