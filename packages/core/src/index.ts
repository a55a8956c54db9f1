/** Tensors, gradients, modules, optimisers and safetensors. */

export { type Device, type DeviceName, type DeviceOptions, DmpoError, type DType } from '@dmpo/kernels';
export { autocast } from './autocast.js';
export { Generator, type GeneratorState } from './generator.js';
export { checkpoint, type Gradients, grad, valueAndGrad, vjp } from './grad.js';
export type { Shape } from './graph.js';
export * as nn from './nn/index.js';
export { type AttentionOptions, attention } from './ops/attention.js';
export { type Conv2dOptions, conv2d } from './ops/conv2d.js';
export {
  arange,
  eye,
  full,
  linspace,
  type NestedNumbers,
  oneHot,
  ones,
  type TypedArray,
  tensor,
  zeros,
} from './ops/creation.js';
export { gather, gather as embedding } from './ops/gather.js';
export { type GroupNormOptions, groupNorm } from './ops/group-norm.js';
export { type LayerNormOptions, layerNorm } from './ops/layer-norm.js';
export { concat, stack, upsampleNearest } from './ops/movement.js';
export { where } from './ops/pointwise.js';
export * as optim from './optim/index.js';
export { Parameter } from './parameter.js';
export type { Plan, Step } from './plan/plan.js';
export { type Profile, profile } from './profile/profile.js';
export type { KernelRow } from './profile/table.js';
export { currentDevice, openDevice, planStatistics, realize, setDevice, update } from './realize.js';
export {
  type FileType,
  type FloatFileType,
  type HostTensor,
  hostTensors,
  parseSafetensors,
  readSafetensors,
  type SafetensorsEntry,
  type SafetensorsFile,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.js';
export { Tensor, type TensorData, type TensorLike } from './tensor.js';
