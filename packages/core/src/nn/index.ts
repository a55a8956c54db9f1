/** Layers: modules with learned parameters, named and initialised as in PyTorch and diffusers. */

export { Attention, type AttentionOptions } from './attention.js';
export { Conv2d, type Conv2dOptions } from './conv2d.js';
export { Embedding } from './embedding.js';
export { GroupNorm, type GroupNormOptions } from './group-norm.js';
export { HostGenerator, manualSeed } from './host-generator.js';
export type { InitializationOptions } from './initialization.js';
export { LayerNorm } from './layer-norm.js';
export { Linear, type LinearOptions } from './linear.js';
export { Module } from './module.js';
