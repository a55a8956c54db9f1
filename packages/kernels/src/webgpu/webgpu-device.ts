/** A device that runs hand-written WGSL: Dawn in Node, navigator.gpu in a browser. */

import { checkCommand } from '../check-command.js';
import { checkKernel } from '../check-kernel.js';
import type { Command, Device, DeviceBuffer, DeviceOptions, MemoryReport } from '../device.js';
import { BYTES_PER_ELEMENT, type DType, type HostArray } from '../dtype.js';
import { type Kernel, kernelKey } from '../kernel.js';
import { LiveBuffers } from '../live-buffers.js';
import { type InPlace, kernelProgram } from './kernels.js';
import { type Dispatch, moduleSource, type Place, scalarStorage } from './program.js';
import { defaultLimits, type Target } from './target.js';

class WebGpuBuffer implements DeviceBuffer {
  constructor(
    readonly byteLength: number,
    readonly gpu: GPUBuffer,
  ) {}
}

interface Ready {
  readonly dispatches: readonly {
    dispatch: Dispatch;
    pipeline: GPUComputePipeline;
    layout: GPUBindGroupLayout;
  }[];
  readonly scratch: readonly number[];
}

export class WebGpuDevice implements Device {
  readonly name = 'webgpu';
  readonly description = 'WebGPU';
  readonly #buffers = new LiveBuffers<WebGpuBuffer>();
  readonly #ready = new Map<string, Ready>();
  readonly #target: Target = { adapterClass: 'software', ...defaultLimits };

  constructor(
    readonly gpu: GPUDevice,
    readonly options: DeviceOptions = {},
  ) {
    gpu.onuncapturederror = (event) => console.error(event.error.message);
  }

  allocate(byteLength: number): DeviceBuffer {
    const gpu = this.gpu.createBuffer({
      size: Math.max(16, Math.ceil(byteLength / 16) * 16),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    if (this.options.poison)
      this.gpu.queue.writeBuffer(gpu, 0, new Uint32Array(gpu.size / 4).fill(0x7fc00000));
    const buffer = new WebGpuBuffer(byteLength, gpu);
    this.#buffers.add(buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    const { gpu } = this.#buffers.get(buffer);
    this.#buffers.delete(buffer);
    gpu.destroy();
  }

  write(buffer: DeviceBuffer, dtype: DType, data: ArrayLike<number>): void {
    const { gpu } = this.#buffers.get(buffer, data.length);
    const words =
      dtype === 'float32'
        ? Float32Array.from(data)
        : dtype === 'int32'
          ? Int32Array.from(data)
          : Uint32Array.from(data, (value) => (dtype === 'bool' ? (value !== 0 ? 1 : 0) : value));
    this.gpu.queue.writeBuffer(gpu, 0, words);
  }

  async read(buffer: DeviceBuffer, dtype: DType, elements: number): Promise<HostArray> {
    const { gpu } = this.#buffers.get(buffer, elements);
    const size = Math.max(4, elements * BYTES_PER_ELEMENT);
    const staging = this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(gpu, 0, staging, 0, size);
    this.gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0, elements * BYTES_PER_ELEMENT);
    staging.destroy();
    if (dtype === 'float32') return new Float32Array(bytes);
    return dtype === 'int32' ? new Int32Array(bytes) : new Uint32Array(bytes);
  }

  async prepare(
    kernels: readonly Kernel[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    kernels.forEach((kernel, done) => {
      this.#program(kernel, []);
      onProgress?.(done + 1, kernels.length);
    });
  }

  submit(commands: readonly Command[]): void {
    for (const command of commands) {
      checkCommand(command);
      const inPlace: [number, number][] = [];
      command.outputs.forEach((buffer, output) => {
        command.inputs.forEach((other, input) => {
          if (other === buffer) inPlace.push([input, output]);
        });
      });
      const { dispatches, scratch } = this.#program(command.kernel, inPlace);
      const scratchBuffers = scratch.map((elements) =>
        this.gpu.createBuffer({
          size: Math.max(16, Math.ceil(elements / 4) * 16),
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
        }),
      );
      if (this.options.poison)
        for (const one of scratchBuffers)
          this.gpu.queue.writeBuffer(one, 0, new Uint32Array(one.size / 4).fill(0x7fc00000));
      const place = (from: Place): GPUBuffer => {
        if ('scratch' in from) return scratchBuffers[from.scratch];
        const buffer = 'input' in from ? command.inputs[from.input] : command.outputs[from.output];
        return this.#buffers.get(buffer).gpu;
      };
      const encoder = this.gpu.createCommandEncoder();
      for (const { dispatch, pipeline, layout } of dispatches) {
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(
          0,
          this.gpu.createBindGroup({
            layout,
            entries: dispatch.buffers.map((use, binding) => ({
              binding,
              resource: { buffer: place(use.place) },
            })),
          }),
        );
        if (scalarStorage(dispatch, false)) {
          const uniform = this.gpu.createBuffer({
            size: Math.max(16, 4 * command.scalars.length),
            usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
          });
          const words = new Uint32Array(command.scalars.length);
          command.scalars.forEach((value, slot) => {
            const dtype = command.kernel.scalars[slot];
            if (dtype === 'float32') new Float32Array(words.buffer)[slot] = value;
            else words[slot] = dtype === 'bool' ? (value !== 0 ? 1 : 0) : value;
          });
          this.gpu.queue.writeBuffer(uniform, 0, words);
          pass.setBindGroup(
            1,
            this.gpu.createBindGroup({
              layout: pipeline.getBindGroupLayout(1),
              entries: [{ binding: 0, resource: { buffer: uniform } }],
            }),
          );
        }
        pass.dispatchWorkgroups(...dispatch.workgroups);
        pass.end();
      }
      this.gpu.queue.submit([encoder.finish()]);
      for (const one of scratchBuffers) one.destroy();
    }
  }

  async finish(): Promise<void> {
    await this.gpu.queue.onSubmittedWorkDone();
  }

  memory(): MemoryReport {
    return { ...this.#buffers.report(), reservedBytes: this.#buffers.report().bytes };
  }

  trim(): void {}

  async close(): Promise<void> {
    this.#buffers.clear();
    this.gpu.destroy();
  }

  #program(kernel: Kernel, inPlace: InPlace): Ready {
    const key = `${kernelKey(kernel)} ${inPlace}`;
    let ready = this.#ready.get(key);
    if (ready === undefined) {
      checkKernel(kernel);
      const program = kernelProgram(kernel, this.#target, inPlace);
      ready = {
        scratch: program.scratch,
        dispatches: program.dispatches
          .filter(({ workgroups }) => workgroups.every((count) => count > 0))
          .map((dispatch) => {
            const module = this.gpu.createShaderModule({ code: moduleSource(dispatch, false) });
            const layout = this.gpu.createBindGroupLayout({
              entries: dispatch.buffers.map(({ access }, binding) => ({
                binding,
                visibility: GPUShaderStage.COMPUTE,
                buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
              })),
            });
            const layouts = [layout];
            if (scalarStorage(dispatch, false))
              layouts.push(
                this.gpu.createBindGroupLayout({
                  entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform' } }],
                }),
              );
            return {
              dispatch,
              layout,
              pipeline: this.gpu.createComputePipeline({
                layout: this.gpu.createPipelineLayout({ bindGroupLayouts: layouts }),
                compute: { module, entryPoint: 'main' },
              }),
            };
          }),
      };
      this.#ready.set(key, ready);
    }
    return ready;
  }
}
