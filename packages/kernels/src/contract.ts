/** The contract between core and devices, in one place for both entries. */

export type {
  Command,
  Device,
  DeviceBuffer,
  DeviceName,
  DeviceOptions,
  GpuJsMode,
  KernelTime,
  MemoryReport,
} from './device.js';
export { bytesPerElement, type DType, type HostArray } from './dtype.js';
export { DmpoError } from './errors.js';
export type { Expression, Instruction } from './expression.js';
export * from './kernel.js';
export { kernelTitle } from './kernel-title.js';
export { type PointwiseOp, pointwiseOps, pointwiseTable, resultType } from './pointwise.js';
export { type SampleCommand, sampleCommand } from './sample-command.js';
export { contiguousStrides, elementCount, isIdentityView, type View } from './view.js';
export type { MeasuredTile, TunedShape, TuningReport } from './webgpu/tune/tune.js';
